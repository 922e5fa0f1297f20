"""Which tables and columns of a schema SQL reads, exactly, whatever the quality of the text.

This is what others call; the steps stand in `twd_shared/sql/`. `select *` reads the table and none
of its columns. A table that is written to counts as read: it is named all the same. SQL that does
not parse, or whose names are not known, gives less, and never an exception or a line in a log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot.errors import SqlglotError

from twd_shared.schema_model.models import Table
from twd_shared.sql.names import ColumnName, SchemaNames, TableName
from twd_shared.sql.parsing import parsed
from twd_shared.sql.queries import NotUnderstood
from twd_shared.sql.statements import Statements


@dataclass(frozen=True, slots=True)
class References:
    """What SQL reads: (schema, name) of tables, ((schema, name), column) of columns.

    `literals` are strings with the column that each is compared with or written to, `unknown` the
    names of tables that the schema does not have.
    """

    parses: bool
    tables: frozenset[TableName] = frozenset()
    columns: frozenset[ColumnName] = frozenset()
    literals: frozenset[tuple[ColumnName, str]] = frozenset()
    unknown: frozenset[str] = frozenset()


DOES_NOT_PARSE = References(parses=False)


def references(sql: str, dialect: str, tables: Iterable[Table]) -> References:
    """What `sql` reads of `tables`; `dialect` is postgresql, mysql or sqlite.

    For many texts make one `SchemaNames` and call `references_in`.
    """
    return references_in(sql, SchemaNames(dialect, tables))


def references_in(sql: str, names: SchemaNames) -> References:
    """What `sql`, one statement or several, reads of the tables that `names` knows."""
    statements = parsed(sql, names.db_type)
    if not statements:
        return DOES_NOT_PARSE
    found = Statements(names)
    try:
        for statement in statements:
            found.statement(statement)
    except (NotUnderstood, SqlglotError, RecursionError):
        return DOES_NOT_PARSE
    return References(
        parses=True,
        tables=frozenset(found.tables),
        columns=frozenset(found.columns),
        literals=frozenset(found.literals),
        unknown=frozenset(found.unknown),
    )
