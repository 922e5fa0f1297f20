"""A query's text with tables and columns called as they are now: each name where it stands.

The text is changed at the places of names and nowhere else: comments, line breaks and quotes of its
writer stay. What cannot be told for certain is not changed at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError

from twd_shared.schema_model.ddl.names import qualified, quote_name
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import RELATION_KINDS
from twd_shared.schema_model.renames import Rename
from twd_shared.sql.names import ColumnName, Origins, Rows, SchemaNames
from twd_shared.sql.parsing import parsed
from twd_shared.sql.queries import NotUnderstood
from twd_shared.sql.references import references_in
from twd_shared.sql.scopes import Scope
from twd_shared.sql.statements import Statements


@dataclass(frozen=True, slots=True)
class NewNames:
    """What tables and columns are called now, by what they were called."""

    tables: Mapping[TableName, TableName]
    columns: Mapping[ColumnName, str]

    @classmethod
    def of(cls, renames: Iterable[Rename]) -> NewNames:
        """Those of the renames that are of tables and their columns."""
        of_tables = [item for item in renames if item.kind in RELATION_KINDS]
        return cls(
            {item.old: item.new for item in of_tables if not item.old_member},
            {(item.old, item.old_member): item.new_member for item in of_tables if item.old_member},
        )

    def table(self, name: TableName) -> TableName:
        """What the table is called now."""
        return self.tables.get(name, name)

    def column(self, name: ColumnName) -> ColumnName:
        """What the column is called now."""
        return self.table(name[0]), self.columns.get(name, name[1])


def in_new_names(
    sql: str, before: SchemaNames, after: SchemaNames, new_names: NewNames
) -> str | None:
    """`sql`, which is in the names of `before`, in those of `after`; None if it cannot be told.

    What is given reads exactly the tables and columns that `sql` read, by their new names.
    """
    statements = parsed(sql, before.db_type)
    if not statements:
        return None
    places = _Places(before, new_names)
    try:
        for statement in statements:
            places.statement(statement)
            if places.gives_old_names(statement) or places.names_left_schema(statement):
                return None
    except (NotUnderstood, SqlglotError, RecursionError):
        return None
    text = sql
    for (start, end), name in sorted(places.changes.items(), reverse=True):
        text = f"{text[:start]}{name}{text[end + 1 :]}"
    return text if _reads_the_same(sql, text, before, after, new_names) else None


def means_the_same(sql: str, before: SchemaNames, after: SchemaNames, new_names: NewNames) -> bool:
    """Whether each name in `sql` means what it meant, whatever that is called now.

    For what cannot be told in new names: where names were swapped, all of it together may read the
    same, and each part of it another thing.
    """
    was, now = _Meanings(before), _Meanings(after)
    try:
        for statement in parsed(sql, before.db_type) or ():
            was.statement(statement)
            now.statement(statement)
    except (NotUnderstood, SqlglotError, RecursionError):
        return False
    return now.tables_at == {
        place: (new_names.table(name), schema) for place, (name, schema) in was.tables_at.items()
    } and now.columns_at == {
        place: frozenset(map(new_names.column, origins))
        for place, origins in was.columns_at.items()
    }


def _reads_the_same(
    sql: str, text: str, before: SchemaNames, after: SchemaNames, new_names: NewNames
) -> bool:
    was, now = references_in(sql, before), references_in(text, after)
    return (
        now.parses
        and now.tables == frozenset(map(new_names.table, was.tables))
        and now.columns == frozenset(map(new_names.column, was.columns))
        and now.unknown <= was.unknown
    )


class _Meanings(Statements):
    """Collects what each name means, by the place where it stands.

    With a table that is named without its schema stands the schema: there it is looked for.
    """

    def __init__(self, names: SchemaNames) -> None:
        super().__init__(names)
        self.tables_at: dict[int, tuple[TableName, str]] = {}
        self.columns_at: dict[int, Origins] = {}

    def find(self, column: exp.Column, scope: Scope) -> Origins | None:
        origins = super().find(column, scope)
        self._note(column.this, origins)
        return origins

    def read_output(self, column: exp.Column, scope: Scope) -> None:
        self._note(column.this, scope.outputs[self.names.fold(column.this)])

    def merge(self, join: exp.Join, scope: Scope) -> None:
        for item in join.args.get("using") or ():
            self._note(item, scope.named(self.names.fold(item)))

    def table(self, table: exp.Table, scope: Scope) -> None:
        super().table(table, scope)
        name = scope.sources[-1][1].table
        if name is not None and "start" in table.this.meta:
            schema = "" if table.args.get("db") else name[0]
            self.tables_at[table.this.meta["start"]] = (name, schema)

    def _note(self, identifier: exp.Expr, origins: Origins | None) -> None:
        if origins and "start" in identifier.meta:
            self.columns_at[identifier.meta["start"]] = origins


class _Places(Statements):
    """Collects where renamed things are named, and what is to stand there."""

    def __init__(self, names: SchemaNames, new_names: NewNames) -> None:
        super().__init__(names)
        self.changes: dict[tuple[int, int], str] = {}
        self._new_names = new_names
        self._by_own_name: dict[int, TableName] = {}

    def gives_old_names(self, statement: exp.Expr) -> bool:
        """Whether it gives a name of its own that a renamed column had: which is meant where?"""
        old = {name for _, name in self._new_names.columns}
        given = [alias.args.get("alias") for alias in statement.find_all(exp.Alias)]
        for alias in statement.find_all(exp.TableAlias):
            given += alias.columns
        return any(
            isinstance(item, exp.Identifier) and self.names.fold(item) in old for item in given
        )

    def names_left_schema(self, statement: exp.Expr) -> bool:
        """Whether a function or type is of a schema that a table has left: did it go along?"""
        left = {
            self.names.folded(old[0])
            for old, new in self._new_names.tables.items()
            if new[0] != old[0]
        }
        named = [dot.this for dot in statement.find_all(exp.Dot)]
        named += [item.args.get("db") for item in statement.find_all(exp.Table) if _is_call(item)]
        return any(
            isinstance(schema, exp.Identifier) and self.names.fold(schema) in left
            for schema in named
        )

    def find(self, column: exp.Column, scope: Scope) -> Origins | None:
        origins = super().find(column, scope)
        if origins:
            self._rename(column.this, origins)
        qualifier = column.args.get("table")
        if isinstance(qualifier, exp.Identifier):
            self._requalify(qualifier, column.args.get("db"), self.qualifier(column, scope))
        return origins

    def read_output(self, column: exp.Column, scope: Scope) -> None:
        self._rename(column.this, scope.outputs[self.names.fold(column.this)])

    def merge(self, join: exp.Join, scope: Scope) -> None:
        for item in join.args.get("using") or ():
            self._rename(item, scope.named(self.names.fold(item)) or frozenset())

    def table(self, table: exp.Table, scope: Scope) -> None:
        super().table(table, scope)
        rows = scope.sources[-1][1]
        if rows.table is None:
            return
        if table.args.get("alias") is None:
            self._by_own_name[id(rows)] = rows.table
        new = self._new_names.table(rows.table)
        if new != rows.table:
            schema = table.args.get("db")
            if schema is not None:
                self._replace(schema, quote_name(new[0], self.names.db_type))
            moved = schema is None and new[0] != rows.table[0]
            dialect = self.names.db_type
            self._replace(
                table.this, qualified(*new, dialect) if moved else quote_name(new[1], dialect)
            )

    def _requalify(
        self, qualifier: exp.Identifier, schema: exp.Expr | None, rows: Rows | None
    ) -> None:
        old = self._by_own_name.get(id(rows))
        # One table may be there twice, once by another name.
        if old is None or self.names.fold(qualifier) != self.names.folded(old[1]):
            return
        new = self._new_names.table(old)
        if new == old:
            return
        if isinstance(schema, exp.Identifier):
            self._replace(schema, quote_name(new[0], self.names.db_type))
        self._replace(qualifier, quote_name(new[1], self.names.db_type))

    def _rename(self, identifier: exp.Expr, origins: Origins) -> None:
        new = {self._new_names.columns.get(origin, origin[1]) for origin in origins}
        old = {origin[1] for origin in origins}
        if len(new) > 1 and not origins.isdisjoint(self._new_names.columns):
            # Of a union only some part is called otherwise: then its result is, or is not.
            raise NotUnderstood
        # A column that was given another name on the way is not meant by its own.
        if new != old and len(new) == 1 and self.names.fold(identifier) in old:
            self._replace(identifier, quote_name(new.pop(), self.names.db_type))

    def _replace(self, identifier: exp.Expr, name: str) -> None:
        place = identifier.meta
        if "start" not in place:
            raise NotUnderstood
        self.changes[place["start"], place["end"]] = name


def _is_call(item: exp.Table) -> bool:
    return not isinstance(item.this, exp.Identifier)
