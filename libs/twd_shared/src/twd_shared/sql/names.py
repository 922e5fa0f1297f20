"""The tables of one schema as statements may name them: search path, case, quoting.

Not here: what stands where in a statement (`expressions.py`, `queries.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sqlglot import exp

from twd_shared.schema_model.ddl.names import unquoted
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import Table

ColumnName = tuple[TableName, str]
"""A column of a table."""

Origins = frozenset[ColumnName]
"""The columns of tables that a value is taken from unchanged."""

NOTHING: Origins = frozenset()

# The servers' own catalogs are no part of a schema that is read: their schemas, and how the names
# of relations begin that are found without one.
_CATALOGS = {
    "postgresql": frozenset({"pg_catalog", "information_schema", "pg_toast"}),
    "mysql": frozenset({"information_schema", "mysql", "performance_schema", "sys"}),
}
_CATALOG_PREFIXES = {"postgresql": "pg_", "sqlite": "sqlite_"}
# Bytes; of a longer name the server reads the beginning.
# https://www.postgresql.org/docs/18/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
_LONGEST_NAME = 63
# What the servers read as a word of their own, and the parser as a column.
_KEYWORDS = {
    "postgresql": frozenset({"user", "current_role", "system_user", "default"}),
    "mysql": frozenset({"utc_date", "utc_time", "utc_timestamp", "default"}),
}
# As the first that GET_FORMAT is given.
_FORMATTED = frozenset({"date", "time", "datetime", "timestamp"})
# Of MariaDB, which are given a sequence first.
_OF_SEQUENCES = frozenset({"nextval", "setval", "lastval"})


@dataclass(slots=True)
class Rows:
    """What an item of FROM offers: columns in order, by the name that statements fold to.

    `table` is the table whose rows they are, `is_open` whether there may be more columns.
    """

    columns: list[tuple[str, Origins]] = field(default_factory=list[tuple[str, Origins]])
    table: TableName | None = None
    is_open: bool = False
    _by_name: dict[str, Origins] | None = None

    @property
    def by_name(self) -> Mapping[str, Origins]:
        """The columns by name; of those that share a name all that they are taken from."""
        if self._by_name is None:
            found: dict[str, Origins] = {}
            for name, origins in self.columns:
                known = found.get(name)
                found[name] = origins if known is None else known | origins
            self._by_name = found
        return self._by_name

    @property
    def repeated(self) -> Collection[str]:
        """The names that several columns share."""
        if len(self.by_name) == len(self.columns):
            return ()
        times = Counter(name for name, _ in self.columns)
        return {name for name, count in times.items() if count > 1}

    def renamed(self, names: Iterable[str]) -> Rows:
        """The same with the first columns called so, as `AS t (a, b)` does; more are added."""
        given = list(names)
        if not given:
            return self
        origins = [value for _, value in self.columns]
        origins += [NOTHING] * (len(given) - len(origins))
        rest = [name for name, _ in self.columns[len(given) :]]
        return Rows(list(zip((*given, *rest), origins, strict=True)), self.table, self.is_open)


class SchemaNames:
    """Finds the tables of one schema by name, as its dialect does."""

    def __init__(self, db_type: str, tables: Iterable[Table]) -> None:
        """`db_type` is postgresql, mysql, sqlite; the names of any other are compared as these."""
        self.db_type = db_type
        self._tables = {(table.schema, table.name): table for table in tables}
        self._named: dict[str, list[TableName]] = {}
        for schema, name in self._tables:
            self._named.setdefault(self.folded(name), []).append((schema, name))
        # Made of the tables that statements name: of a wide schema they are few.
        self._rows: dict[TableName, Rows] = {}
        self.columns = sum(len(table.columns) for table in self._tables.values())
        """How many columns the tables have."""

    @cached_property
    def words(self) -> frozenset[str]:
        """Every name of a schema, a table or a column, as it is stored."""
        columns = (column.name for table in self._tables.values() for column in table.columns)
        return frozenset(part for key in self._tables for part in key).union(columns)

    def fold(self, identifier: exp.Expr) -> str:
        """What the dialect compares a name by: PostgreSQL keeps the case of quoted ones alone,
        and of each its beginning."""
        name = identifier.name
        if self.db_type != "postgresql":
            return self.folded(name)
        if not identifier.args.get("quoted"):
            name = unquoted(name)
        # In another encoding than UTF-8 a stored name may have more bytes here than there.
        is_whole = len(name) * 4 <= _LONGEST_NAME or name in self.words
        return name if is_whole else _cut(name)

    def find(self, schema: str, name: str) -> Rows | None:
        """The rows of the table of these folded names; without schema the one in `public`,
        or the only one; None if there is none, or the name alone does not decide."""
        found = self._named.get(name, [])
        if schema:
            found = [key for key in found if self.folded(key[0]) == schema]
        elif len(found) > 1:
            found = [key for key in found if key[0] == "public"] or found
        return self._rows_of(found[0]) if len(found) == 1 else None

    def is_undecided(self, schema: str, name: str) -> bool:
        """Whether tables of several schemas have the name, which stands there without one."""
        return not schema and name in self._named

    def is_in_schema(self, rows: Rows, schema: str) -> bool:
        """Whether they are the rows of a table in the schema of that folded name."""
        return rows.table is not None and self.folded(rows.table[0]) == schema

    def is_catalog(self, schema: str, name: str) -> bool:
        """Whether the name is of a catalog of the server."""
        if name in self._named and (not schema or self.find(schema, name) is not None):
            return False
        if self.db_type == "mysql" and (schema, name) == ("", "dual"):
            return True
        prefix = _CATALOG_PREFIXES.get(self.db_type)
        is_named_so = prefix is not None and name.startswith(prefix)
        # The catalog of SQLite is in the schemas of its tables.
        return schema in _CATALOGS.get(self.db_type, ()) or (
            is_named_so and (not schema or self.db_type == "sqlite")
        )

    def is_keyword(self, column: exp.Column) -> bool:
        """Whether the server reads a word of its own there, as in `select user`, and no column."""
        name = column.this
        if (
            not isinstance(name, exp.Identifier)
            or column.args.get("table")
            or name.args.get("quoted")
        ):
            return False
        word = name.name.lower()
        around = column.parent
        function = ""
        if self.db_type == "mysql" and isinstance(around, exp.Anonymous) and column.index == 0:
            function = around.name.lower()
        return (
            word in _KEYWORDS.get(self.db_type, ())
            or (function == "get_format" and word in _FORMATTED)
            or function in _OF_SEQUENCES
        )

    def folded(self, name: str) -> str:
        """What the dialect compares a stored name by."""
        return name if self.db_type == "postgresql" else name.casefold()

    def _rows_of(self, key: TableName) -> Rows:
        if (rows := self._rows.get(key)) is None:
            columns = self._tables[key].columns
            rows = self._rows[key] = Rows(
                [(self.folded(one.name), frozenset({(key, one.name)})) for one in columns], key
            )
        return rows


def _cut(name: str) -> str:
    """What PostgreSQL keeps of a name."""
    encoded = name.encode(errors="surrogatepass")
    return (
        name if len(encoded) <= _LONGEST_NAME else encoded[:_LONGEST_NAME].decode(errors="ignore")
    )
