"""What a query reads: FROM makes scopes, in which expressions are resolved.

Not here: statements that write (`statements.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from sqlglot import exp

from twd_shared.sql.expressions import Expressions, MadeTables, Scope
from twd_shared.sql.literals import bare
from twd_shared.sql.names import NOTHING, Origins, Rows

# Of a SELECT, what is read before the rest, or in another way.
_OWN = frozenset({"with_", "from_", "joins", "laterals", "group", "order", "distinct", "into"})
# No server gives so many, but stars over stars can ask for any number.
_MOST_COLUMNS = 5_000


class NotUnderstood(Exception):
    """A statement of a kind that is not walked."""


class Queries(Expressions):
    """Collects what queries read."""

    def query(self, node: exp.Expr, outer: Scope | None, tables: MadeTables) -> Rows:
        """Collect from a query, which sees `outer`; gives its rows."""
        if isinstance(node, exp.Select):
            return self._select(node, outer, tables)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, outer, tables)
        if isinstance(node, exp.Values):
            return self._values(node, Scope(tables, outer))
        if isinstance(node, exp.Subquery | exp.Paren):
            scope = Scope(self.made_by_with(node, outer, tables), outer)
            if isinstance(node.this, exp.Table):
                self.source(node.this, scope)
                return scope.all_rows()
            rows = self.query(node.this, outer, scope.tables)
            scope.outputs = rows.by_name
            self._modifiers(node, scope)
            return rows
        raise NotUnderstood

    def made_by_with(self, node: exp.Expr, outer: Scope | None, tables: MadeTables) -> MadeTables:
        """`tables`, and those that the node's WITH makes."""
        clause = node.args.get("with_")
        if clause is None:
            return tables
        known = dict(tables)
        for cte in clause.expressions:
            name, columns = self._alias(cte)
            body: exp.Expr = cte.this
            if clause.args.get("recursive") and isinstance(body, exp.SetOperation):
                rows = self._set_operation(body, outer, known, itself=(name, columns))
            else:
                rows = self.query(body, outer, known)
            known[name] = rows.renamed(columns)
        return known

    def source(self, item: exp.Expr, scope: Scope) -> None:
        """Add an item of FROM, with what is joined to it, to the scope."""
        if isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier):
            self.table(item, scope)
        elif isinstance(item, exp.Subquery):
            self._derived(item, scope)
        elif isinstance(item, exp.Lateral) and isinstance(item.this, exp.Subquery):
            self._add(item, self.query(item.this, scope, scope.tables), scope)
        elif isinstance(item, exp.Values):
            self._add(item, self._values(item, scope), scope)
        else:
            self._function(item, scope)
        self.joins(item, scope)

    def joins(self, node: exp.Expr, scope: Scope) -> None:
        """Add what is joined to the node's own source."""
        for join in node.args.get("joins") or ():
            before = len(scope.sources)
            left = {name for _, rows in scope.sources for name in rows.by_name}
            self.source(join.this, scope)
            using = [self.names.fold(item) for item in join.args.get("using") or ()]
            if join.args.get("method") == "NATURAL":
                right = (name for _, rows in scope.sources[before:] for name in rows.by_name)
                using = [name for name in right if name in left]
            for name in using:
                scope.merged[name] = None
                self.columns |= scope.named(name) or NOTHING
            self.merge(join, scope)
            self.read(join.args.get("on"), scope)
        for lateral in node.args.get("laterals") or ():
            self.source(lateral, scope)

    def merge(self, join: exp.Join, scope: Scope) -> None:
        """Meet a join whose USING names columns of both its sides."""

    def outputs(self, items: Iterable[exp.Expr], scope: Scope) -> Rows:
        """The rows that a SELECT list or RETURNING gives."""
        columns: list[tuple[str, Origins]] = []
        for item in items:
            if isinstance(item, exp.Star):
                columns += scope.all_rows().columns
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                rows = self.qualifier(item, scope)
                columns += rows.columns if rows else ()
            else:
                value = item.this if isinstance(item, exp.Alias) else item
                columns.append((self._output_name(item), self.origins(value, scope)))
            if len(columns) > _MOST_COLUMNS:
                raise NotUnderstood
        return Rows(columns)

    def _output_name(self, item: exp.Expr) -> str:
        inner = item if isinstance(item, exp.Alias) else bare(item)
        named: object = None
        if isinstance(inner, exp.Alias):
            named = inner.args["alias"]
        elif isinstance(inner, exp.Column):
            named = inner.this
        elif isinstance(inner, exp.Dot):
            named = inner.expression
        elif isinstance(inner, exp.Func):
            # What PostgreSQL calls the result of a function.
            is_anonymous = isinstance(inner, exp.Anonymous)
            return (inner.name if is_anonymous else inner.sql_name()).lower()
        return self.names.fold(named) if isinstance(named, exp.Identifier) else ""

    def _select(self, select: exp.Select, outer: Scope | None, tables: MadeTables) -> Rows:
        scope = Scope(self.made_by_with(select, outer, tables), outer)
        if (from_ := select.args.get("from_")) is not None:
            self.source(from_.this, scope)
        self.joins(select, scope)
        rows = self.outputs(select.expressions, scope)
        made = {name: origins for name, origins in rows.columns if name}
        if self.names.db_type != "postgresql":
            scope.outputs = made
        for child in select.iter_expressions():
            if child.arg_key not in _OWN:
                self.read(child, scope)
        scope.outputs = made
        self.read(select.args.get("group"), scope)
        self._sorting((select.args.get("order"), select.args.get("distinct")), scope)
        return rows

    def _sorting(self, clauses: Iterable[exp.Expr | None], scope: Scope) -> None:
        for item in _sorted_by(clauses):
            # Alone, a name of one of the result's columns means that column.
            if (
                isinstance(item, exp.Column)
                and isinstance(item.this, exp.Identifier)
                and not item.args.get("table")
                and self.names.fold(item.this) in scope.outputs
            ):
                self.read_output(item, scope)
            else:
                self.read(item, scope)

    def read_output(self, column: exp.Column, scope: Scope) -> None:
        """Meet a name of the query's own result, which reads nothing again."""

    def _set_operation(
        self,
        node: exp.Expr,
        outer: Scope | None,
        tables: MadeTables,
        itself: tuple[str, list[str]] | None = None,
    ) -> Rows:
        """`itself` names a recursive query and its columns, which its first part makes."""
        parts: list[exp.Expr] = []
        operations: list[exp.Expr] = []
        while isinstance(node, exp.SetOperation):
            tables = self.made_by_with(node, outer, tables)
            operations.append(node)
            parts.append(node.expression)
            node = node.this
        first = self.query(node, outer, tables)
        if itself is not None:
            tables = {**tables, itself[0]: first.renamed(itself[1])}
        each = [self.query(part, outer, tables).columns for part in reversed(parts)]
        rows = Rows(
            [
                (place[0][0], NOTHING.union(*(origins for _, origins in place)))
                for place in zip_longest(first.columns, *each, fillvalue=("", NOTHING))
            ]
        )
        for operation in operations:
            self._modifiers(operation, Scope(tables, outer, outputs=rows.by_name))
        return rows

    def _modifiers(self, node: exp.Expr, scope: Scope) -> None:
        """ORDER BY and LIMIT around a whole query, which see its result."""
        self._sorting([node.args.get("order")], scope)
        for key in ("limit", "offset"):
            self.read(node.args.get(key), scope)

    def _values(self, values: exp.Values, scope: Scope) -> Rows:
        self.read_all(values.expressions, scope)
        width = max((len(row.expressions) for row in values.expressions), default=0)
        return Rows([(f"column{place}", NOTHING) for place in range(1, width + 1)])

    def table(self, table: exp.Table, scope: Scope) -> None:
        """Add a named table to the scope: one that the query makes, or one of the schema."""
        name = self.names.fold(table.this)
        schema = table.args.get("db")
        in_schema = "" if schema is None else self.names.fold(schema)
        rows = None if in_schema else scope.tables.get(name)
        if rows is None:
            rows = self.names.find(in_schema, name)
            if rows is not None and rows.table is not None:
                self.tables.add(rows.table)
        if rows is None:
            rows = Rows()
            if not self.names.is_catalog(in_schema, name):
                self.unknown.add(f"{in_schema}.{name}" if in_schema else name)
        alias, columns = self._alias(table)
        scope.sources.append((alias or name, rows.renamed(columns)))

    def _derived(self, item: exp.Subquery, scope: Scope) -> None:
        inner = item.this
        is_query = not isinstance(inner, exp.Table) and not (
            isinstance(inner, exp.Subquery) and (inner.args.get("joins") or inner.args.get("alias"))
        )
        if is_query:
            self._add(item, self.query(item, scope.parent, scope.tables), scope)
        elif item.args.get("alias") is None:
            self.source(inner, scope)
        else:
            joined = Scope(scope.tables, scope.parent)
            self.source(inner, joined)
            self._add(item, joined.all_rows(), scope)

    def _function(self, item: exp.Expr, scope: Scope) -> None:
        """A function in FROM sees what stands left of it; its columns are those it is given."""
        alias, columns = self._alias(item)
        parts = [part for part in item.iter_expressions() if part.arg_key not in ("alias", "joins")]
        origins = NOTHING
        while len(parts) == 1 and isinstance(parts[0], exp.Unnest):
            parts = list(parts[0].iter_expressions())
        if len(parts) == 1:
            # An array's elements are of its column.
            origins = self.origins(parts[0], scope)
        self.read_all(parts, scope)
        names = columns or ([alias] if alias else [])
        scope.sources.append((alias, Rows([(name, origins) for name in names])))

    def _add(self, item: exp.Expr, rows: Rows, scope: Scope) -> None:
        alias, columns = self._alias(item)
        scope.sources.append((alias, rows.renamed(columns)))

    def _alias(self, item: exp.Expr) -> tuple[str, list[str]]:
        """The name that an item of FROM or WITH is given, and those of its columns."""
        alias = item.args.get("alias")
        if not isinstance(alias, exp.TableAlias):
            return "", []
        named = (part.this if isinstance(part, exp.ColumnDef) else part for part in alias.columns)
        own = alias.args.get("this")
        return "" if own is None else self.names.fold(own), [self.names.fold(n) for n in named]


def _sorted_by(clauses: Iterable[exp.Expr | None]) -> Iterator[exp.Expr]:
    """What ORDER BY and DISTINCT ON name."""
    for clause in clauses:
        if isinstance(clause, exp.Order):
            yield from (item.this for item in clause.expressions)
        elif isinstance(clause, exp.Distinct) and clause.args.get("on") is not None:
            yield from clause.args["on"].expressions
