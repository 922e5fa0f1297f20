"""What a statement reads or writes: queries, INSERT, UPDATE, DELETE, MERGE, and DDL of tables."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from twd_shared.sql.names import NOTHING, Origins, Rows, SchemaNames
from twd_shared.sql.queries import NotUnderstood, Queries
from twd_shared.sql.scopes import MadeTables, Scope

_WITHOUT_TABLES = (exp.Set, exp.Use, exp.Transaction, exp.Commit, exp.Rollback)
_SOURCES = ("from_", "using")
_OWN = frozenset({"with_", "this", *_SOURCES, "expression", "expressions", "conflict", "returning"})


class Statements(Queries):
    """Collects what statements name; an earlier one may make a table that a later one reads."""

    def __init__(self, names: SchemaNames) -> None:
        """Resolve names against `names`."""
        super().__init__(names)
        self._made: dict[str, Rows] = {}

    def statement(self, node: exp.Expr) -> None:
        """Collect from one statement; raises NotUnderstood if it is of another kind."""
        if isinstance(node, exp.Create):
            self._create(node)
        elif isinstance(node, exp.Drop | exp.TruncateTable | exp.Alter):
            for table in node.find_all(exp.Table):
                self.source(table, Scope(self._made))
        elif not isinstance(node, _WITHOUT_TABLES):
            self.query(node, None, self._made)

    def query(self, node: exp.Expr, outer: Scope | None, tables: MadeTables) -> Rows:
        """Collect from a query, or a statement that writes; gives its rows."""
        if isinstance(node, exp.Insert | exp.Update | exp.Delete | exp.Merge):
            return self._write(node, outer, tables)
        return super().query(node, outer, tables)

    def _create(self, create: exp.Create) -> None:
        made = create.this.this if isinstance(create.this, exp.Schema) else create.this
        if not isinstance(made, exp.Table) or not isinstance(made.this, exp.Identifier):
            raise NotUnderstood
        rows = Rows(is_open=True)
        if create.expression is not None:
            tables = self.made_by_with(create, None, self._made)
            rows = self.query(create.expression, None, tables)
        self._made[self.names.fold(made.this)] = rows

    def _write(self, node: exp.Expr, outer: Scope | None, tables: MadeTables) -> Rows:
        scope = Scope(self.made_by_with(node, outer, tables), outer)
        named = node.this.this if isinstance(node.this, exp.Schema) else node.this
        if not isinstance(named, exp.Table):
            raise NotUnderstood
        self.source(named, scope)
        _, target = scope.sources[0]
        if isinstance(node, exp.Insert):
            self._insert(node, target, scope, outer)
        else:
            self._other_sources(node, scope)
        for child in node.iter_expressions():
            if child.arg_key not in _OWN:
                self._assignments(child, target, scope)
        if isinstance(node, exp.Update):
            for item in node.expressions:
                self._assignments(item, target, scope)
        returning = node.args.get("returning")
        if returning is None:
            return Rows()
        self.read(returning, scope)
        return self.outputs(returning.expressions, scope)

    def _other_sources(self, node: exp.Expr, scope: Scope) -> None:
        for key in _SOURCES:
            value = node.args.get(key)
            items: list[exp.Expr] = value if isinstance(value, list) else [value] if value else []
            for item in items:
                self.source(item.this if isinstance(item, exp.From) else item, scope)

    def _insert(self, node: exp.Insert, target: Rows, scope: Scope, outer: Scope | None) -> None:
        columns = [origins for _, origins in target.columns]
        if isinstance(node.this, exp.Schema):
            for item in node.this.expressions:
                self.problems.target(item, target, scope)
            columns = [
                target.by_name.get(self.names.fold(item), NOTHING) for item in node.this.expressions
            ]
            self.columns.update(*columns)
        value = node.expression
        if value is not None:
            self.query(value, outer, scope.tables)
        if isinstance(value, exp.Values):
            for row in value.expressions:
                for origins, item in zip(columns, row.expressions, strict=False):
                    self.compare(origins, item)
        if (conflict := node.args.get("conflict")) is not None:
            # RETURNING sees the target alone.
            there = Scope(scope.tables, outer)
            there.add(*scope.sources[0])
            self._add_new_rows(value, columns, target, there)
            self._assignments(conflict, target, there)

    def _add_new_rows(
        self, value: exp.Expr | None, columns: Sequence[Origins], target: Rows, scope: Scope
    ) -> None:
        """Add what an assignment on a conflict calls the rows that were to be inserted."""
        if self.names.db_type == "postgresql":
            scope.add("excluded", target)
        elif self.names.db_type != "mysql":
            # There, and in MySQL, a name alone is a column of the target.
            scope.join_aliases.append(("excluded", target))
        elif isinstance(value, exp.Values) and (alias := value.args.get("alias")) is not None:
            called = self.names.fold(alias.this)
            if alias.columns:
                own = zip(map(self.names.fold, alias.columns), columns, strict=False)
                scope.add(called, Rows(list(own)))
            else:
                scope.join_aliases.append((called, target))

    def _assignments(self, node: exp.Expr, target: Rows, scope: Scope) -> None:
        """Read an expression in which `column = …` means a column of the target."""
        waiting = [node]
        while waiting:
            item = waiting.pop()
            if isinstance(item, exp.EQ) and item.arg_key == "expressions":
                self._assign(item.this, target, scope)
                for column in item.this.find_all(exp.Column):
                    self.compare(self._of_target(column, target, scope), item.expression)
                self.read(item.expression, scope)
            elif isinstance(item, exp.OnConflict | exp.Whens | exp.When | exp.Update):
                waiting.extend(item.iter_expressions())
            elif isinstance(item, exp.Insert):
                self._assign(item.this, target, scope)
                self.read(item.expression, scope)
            elif item.arg_key == "conflict_keys":
                self._assign(item, target, scope)
            else:
                self.read(item, scope)

    def _assign(self, node: exp.Expr, target: Rows, scope: Scope) -> None:
        for column in node.find_all(exp.Column):
            if not column.args.get("table") and isinstance(column.this, exp.Identifier):
                self.problems.target(column.this, target, scope)
            self.columns |= self._of_target(column, target, scope)

    def _of_target(self, column: exp.Column, target: Rows, scope: Scope) -> Origins:
        if column.args.get("table") or not isinstance(column.this, exp.Identifier):
            return self.origins(column, scope)
        return target.by_name.get(self.names.fold(column.this), NOTHING)
