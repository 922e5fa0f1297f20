"""Whether the tables and columns that generated SQL names stand in a snapshot of the source.

A check of names, not of meaning: where a column's table cannot be told for certain, the column
counts as known. Case is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sqlglot import exp

from twd_analytics.generated_sql.parsing import source_tables
from twd_shared.schema_model.models import Snapshot

# The server's own catalogs are no part of a snapshot.
_SYSTEM_SCHEMAS = ("information_schema", "pg_catalog", "mysql", "performance_schema", "sys")


class KnownNames:
    """The tables of a snapshot with their columns."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Index the snapshot's tables by `schema.table` and by `table`."""
        tables: dict[str, set[str]] = {}
        for table in snapshot.tables:
            columns = {column.name.casefold() for column in table.columns}
            for name in (table.name, table.label):
                tables.setdefault(name.casefold(), set()).update(columns)
        self._columns: Mapping[str, set[str]] = tables

    def knows_table(self, name: str) -> bool:
        """Whether `table` or `schema.table` is in the snapshot, or a catalog of the server."""
        folded = name.casefold()
        is_catalog = folded.partition(".")[0] in _SYSTEM_SCHEMAS or folded.startswith("pg_")
        return is_catalog or folded in self._columns

    def fault_of(
        self, statements: list[exp.Expr]
    ) -> Literal["unknown_table", "unknown_column"] | None:
        """The first kind of name that the snapshot does not hold."""
        tables = source_tables(statements)
        if any(not self.knows_table(_label(table)) for table in tables):
            return "unknown_table"
        if any(self._is_unknown_column(statement) for statement in statements):
            return "unknown_column"
        return None

    def _is_unknown_column(self, statement: exp.Expr) -> bool:
        sources: dict[str, set[str]] = {}
        for table in source_tables([statement]):
            columns = self._columns.get(_label(table).casefold(), set())
            sources.setdefault(table.alias_or_name.casefold(), set()).update(columns)
        derived = [
            item.alias.casefold()
            for item in statement.find_all(
                exp.CTE, exp.Subquery, exp.Lateral, exp.Unnest, exp.Values
            )
        ]
        for alias in derived:
            sources.pop(alias, None)
        # An alias, a whole row (`count(f)`) or an output name can stand where a column does.
        outputs = {alias.alias.casefold() for alias in statement.find_all(exp.Alias)}
        anywhere = set().union(*sources.values(), sources, outputs)
        for column in statement.find_all(exp.Column):
            name = column.name.casefold()
            if isinstance(column.this, exp.Star) or not name:
                continue
            source = column.table.casefold()
            if source in sources and not column.db:
                if sources[source] and name not in sources[source]:
                    return True
            elif not source and not derived and sources and name not in anywhere:
                return True
        return False


def _label(table: exp.Table) -> str:
    return f"{table.db}.{table.name}" if table.db else table.name
