"""Which tables and columns of a schema SQL reads, exactly, whatever the quality of the text.

This is what others call; the steps stand beside it. `select *` reads the table and none of its
columns. A table that is written to counts as read: it is named all the same. SQL that does
not parse, or whose names are not known, gives less, and never an exception or a line in a log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp
from sqlglot.errors import SqlglotError

from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import Table
from twd_shared.sql.names import ColumnName, SchemaNames
from twd_shared.sql.parsing import parsed
from twd_shared.sql.problems import Problem
from twd_shared.sql.queries import NotUnderstood
from twd_shared.sql.statements import Statements

Verdict = Literal["valid", "syntax", "unknown_table", "unknown_column", "ambiguous_column"]
"""What a server would say of SQL: that it is valid, or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class References:
    """What SQL reads: (schema, name) of tables, ((schema, name), column) of columns.

    `literals` are strings with the column that each is compared with or written to, `unknown` the
    names of tables that the schema does not have. `unknown_columns` and `unknown_aliases` (what
    stands before a column's dot) and `ambiguous` are as written, and only what is certain;
    `problem` is the first of these that the server would report.
    """

    parses: bool
    tables: frozenset[TableName] = frozenset()
    columns: frozenset[ColumnName] = frozenset()
    literals: frozenset[tuple[ColumnName, str]] = frozenset()
    unknown: frozenset[str] = frozenset()
    unknown_columns: frozenset[str] = frozenset()
    unknown_aliases: frozenset[str] = frozenset()
    ambiguous: frozenset[str] = frozenset()
    problem: Problem | None = None

    @property
    def verdict(self) -> Verdict:
        """What the server would say of it; of several problems the one that it reports."""
        return self.problem or "valid"


DOES_NOT_PARSE = References(parses=False, problem="syntax")
EXPRESSIONS = (exp.Condition, exp.Alias, exp.Tuple)
"""What is no statement: the parser takes the beginning of any sentence for an expression."""
# Of a kind that is not looked into, or too deep: nothing is said against it.
NOT_WALKED = References(parses=False)


def references(sql: str, dialect: str, tables: Iterable[Table]) -> References:
    """What `sql` reads of `tables`; `dialect` is postgresql, mysql or sqlite.

    For many texts make one `SchemaNames` and call `references_in`.
    """
    return references_in(sql, SchemaNames(dialect, tables))


def references_in(sql: str, names: SchemaNames) -> References:
    """What `sql`, one statement or several, reads of the tables that `names` knows."""
    return references_of(parsed(sql, names.db_type), names)


def references_of(statements: Sequence[exp.Expr] | None, names: SchemaNames) -> References:
    """The same of what `parsed` gives."""
    if not statements or any(isinstance(item, EXPRESSIONS) for item in statements):
        return DOES_NOT_PARSE
    found = Statements(names)
    try:
        for statement in statements:
            found.statement(statement)
    except (NotUnderstood, SqlglotError, RecursionError):
        return NOT_WALKED
    problems = found.problems
    return References(
        parses=True,
        tables=frozenset(found.tables),
        columns=frozenset(found.columns),
        literals=frozenset(found.literals),
        unknown=frozenset(found.unknown),
        unknown_columns=frozenset(problems.unknown_columns),
        unknown_aliases=frozenset(problems.unknown_aliases),
        ambiguous=frozenset(problems.ambiguous),
        problem=problems.first,
    )
