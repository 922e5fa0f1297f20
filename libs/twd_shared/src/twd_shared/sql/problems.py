"""What a server would refuse of the names in a statement, told only where that is certain.

The first problem is the one that a server reports: statements are walked in the order in which
PostgreSQL looks at them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sqlglot import exp

from twd_shared.sql.names import Rows, SchemaNames
from twd_shared.sql.scopes import Scope

Problem = Literal["syntax", "unknown_table", "unknown_column", "ambiguous_column"]
"""What is wrong with a statement."""

# https://www.postgresql.org/docs/18/ddl-system-columns.html, https://sqlite.org/rowidtable.html;
# a full-text table has hidden ones, and nothing tells which tables are such.
_SYSTEM_COLUMNS = {
    "postgresql": frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}),
    "sqlite": frozenset({"rowid", "oid", "_rowid_", "rank", "docid"}),
}
# Functions of a whole row, which PostgreSQL lets be written as a column of it: film.count.
_ROW_FUNCTIONS = frozenset(
    "count row_to_json to_json to_jsonb json_agg jsonb_agg array_agg pg_typeof num_nulls"
    " num_nonnulls concat pg_column_size any_value max min record_out quote_literal".split()
)
# The rows before and after a write, in RETURNING.
_OF_RETURNING = frozenset({"old", "new"})


class Problems:
    """Collects the names that stand for nothing, or for more than one thing."""

    def __init__(self, names: SchemaNames) -> None:
        """Names are compared as `names` does."""
        self.first: Problem | None = None
        self.unknown_aliases: set[str] = set()
        self.unknown_columns: set[str] = set()
        self.ambiguous: set[str] = set()
        self._names = names
        self._system = _SYSTEM_COLUMNS.get(names.db_type, frozenset())
        self._is_postgresql = names.db_type == "postgresql"

    def note(self, problem: Problem) -> None:
        """Note a problem, if it is the first."""
        self.first = self.first or problem

    def unknown_column(self, name: str) -> None:
        """Note a column that no source has."""
        self.unknown_columns.add(name)
        self.note("unknown_column")

    def ambiguous_column(self, name: str) -> None:
        """Note a name that means several columns."""
        self.ambiguous.add(name)
        self.note("ambiguous_column")

    def column(self, column: exp.Column, scope: Scope) -> None:
        """Look whether a column's name means one thing where it stands."""
        if column.args.get("catalog"):
            return
        if column.args.get("table"):
            self._qualified(column, scope)
        elif isinstance(column.this, exp.Identifier):
            self._plain(column, scope)

    def target(self, column: exp.Expr, target: Rows, scope: Scope) -> None:
        """Look whether the table that is written to has a column."""
        # MySQL writes to several tables at once.
        is_sure = self._is_postgresql or len(scope.sources) == 1
        name = self._names.fold(column)
        if is_sure and not target.is_open and name not in target.by_name:
            self.unknown_column(column.name)

    def same_width(self, first: Rows, others: Iterable[Rows]) -> None:
        """Look whether the parts of a UNION have as many columns; PostgreSQL says it is syntax."""
        for other in others:
            is_sure = self._is_postgresql and not (first.is_open or other.is_open)
            if is_sure and len(other.columns) != len(first.columns):
                self.note("syntax")

    def join_using(self, name: str, scope: Scope, start: int, right: int) -> None:
        """Look at a column that USING or NATURAL makes one, and see it once from now on.

        The left sources stand from `start`, the right ones from `right`.
        """
        for begin, end in ((start, right), (right, len(scope.sources))):
            count = scope.has(name, begin, end)
            if count > 1:
                self.ambiguous_column(name)
            elif not count and not scope.may_have_more(begin, end):
                self.unknown_column(name)
        scope.hidden.update((place, name) for place in range(right, len(scope.sources)))

    def _plain(self, column: exp.Column, scope: Scope) -> None:
        name = self._names.fold(column.this)
        for around in scope.and_around():
            is_output = around.shows_outputs and (name in around.outputs or around.has_unnamed)
            if is_output and not self._is_postgresql:
                return
            count = around.has(name, around.first)
            if count > 1:
                self.ambiguous_column(column.this.name)
            if count or is_output or around.is_open:
                return
            if around.may_have_more(around.first) or self._is_system(name, around):
                return
        is_row = any(name == alias for around in scope.and_around() for alias, _ in around.seen())
        # SQLite takes what is in double quotes and no column for a string.
        is_text = self._names.db_type == "sqlite" and column.this.args.get("quoted")
        # PostgreSQL has more after IS than the parser knows: IS DOCUMENT, IS NORMALIZED.
        is_property = isinstance(column.parent, exp.Is) and column.arg_key == "expression"
        if not (is_row or is_text or is_property or self._names.is_keyword(column)):
            self.unknown_column(column.this.name)

    def _is_system(self, name: str, scope: Scope) -> bool:
        """Whether it is a system column of a source; in PostgreSQL what JOIN makes has none."""
        return name in self._system and any(
            rows.table is not None and not (self._is_postgresql and place in scope.joined)
            for place, (_, rows) in enumerate(scope.sources)
        )

    def _qualified(self, column: exp.Column, scope: Scope) -> None:
        schema = column.args.get("db")
        in_schema = None if schema is None else self._names.fold(schema)
        alias = self._names.fold(column.args["table"])
        for around in scope.and_around():
            for name, rows in around.seen():
                if name == alias and (
                    in_schema is None or self._names.is_in_schema(rows, in_schema)
                ):
                    self._of_rows(column, rows)
                    return
                if not name and rows.is_open:
                    # A function's rows are called as it is.
                    return
            if around.is_open:
                return
        if alias in _OF_RETURNING:
            return
        if self._is_postgresql:
            self.unknown_aliases.add(_written(column).rpartition(".")[0])
            self.note("unknown_table")
        else:
            self.unknown_column(_written(column))

    def _of_rows(self, column: exp.Column, rows: Rows) -> None:
        if not isinstance(column.this, exp.Identifier):
            return
        name = self._names.fold(column.this)
        if name in rows.by_name:
            if name in rows.repeated:
                self.ambiguous_column(_written(column))
        elif not (
            rows.is_open
            or (rows.table is not None and name in self._system)
            or (self._is_postgresql and name in _ROW_FUNCTIONS)
        ):
            self.unknown_column(_written(column))


def _written(column: exp.Column) -> str:
    return ".".join(part.name for part in column.parts)
