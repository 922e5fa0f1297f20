"""What a query reads: FROM makes scopes, in which expressions are resolved.

Not here: statements that write (`statements.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import zip_longest
from typing import TypeGuard

from sqlglot import exp

from twd_shared.sql.expressions import Expressions
from twd_shared.sql.names import NOTHING, Origins, Rows
from twd_shared.sql.results import is_star, may_be_called_anything, means_several, output_name
from twd_shared.sql.scopes import MadeTables, Scope

# Of a SELECT, what is read before the rest, or in another way.
_OWN = frozenset(
    "with_ from_ joins laterals expressions where having group order distinct into".split()
)
# What tells a JOIN from a comma.
_JOIN = ("on", "using", "kind", "side", "method")
_GROUPINGS = (exp.Paren, exp.Tuple, exp.Rollup, exp.Cube, exp.GroupingSets)
# No server gives so many, but stars over stars can ask for any number.
_MOST_COLUMNS = 5_000
# Each name is looked for in each source. MySQL takes 61 and SQLite 64; nobody writes so many.
_MOST_SOURCES = 600


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
            # Around brackets they see what the query in them sees.
            scope.is_open = True
            self._modifiers(node, scope)
            return rows
        raise NotUnderstood

    def made_by_with(self, node: exp.Expr, outer: Scope | None, tables: MadeTables) -> MadeTables:
        """`tables`, and those that the node's WITH makes."""
        clause = node.args.get("with_")
        if clause is None:
            return tables
        known = dict(tables)
        is_recursive = clause.args.get("recursive")
        if is_recursive:
            # Each sees all, those that follow it and itself among them.
            known.update((self._alias(cte)[0], Rows(is_open=True)) for cte in clause.expressions)
        for cte in clause.expressions:
            name, columns = self._alias(cte)
            body: exp.Expr = cte.this
            if is_recursive and isinstance(body, exp.SetOperation):
                rows = self._set_operation(body, outer, known, itself=(name, columns))
            else:
                rows = self.query(body, outer, known)
            known[name] = rows.renamed(columns)
            if clause.args.get("search") is not None:
                # SEARCH and CYCLE add columns.
                known[name] = Rows(known[name].columns, is_open=True)
        return known

    def source(self, item: exp.Expr, scope: Scope) -> None:
        """Add an item of FROM, with what is joined to it, to the scope."""
        start = len(scope.sources)
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
        self.joins(item, scope, start)

    def joins(self, node: exp.Expr, scope: Scope, start: int = 0) -> None:
        """Add what is joined to the node's own source, which stands at `start`."""
        for join in node.args.get("joins") or ():
            before = len(scope.sources)
            if self._is_comma(join):
                start = before
            self.source(join.this, scope)
            if len(scope.sources) > _MOST_SOURCES:
                raise NotUnderstood
            for name in self._made_one(join, scope, before):
                self.problems.join_using(name, scope, start, before)
                scope.merged[name] = None
                self.columns |= scope.named(name) or NOTHING
            self.merge(join, scope)
            if (alias := join.args.get("using_alias")) is not None:
                merged = map(self.names.fold, join.args["using"])
                rows = Rows([(name, scope.named(name) or NOTHING) for name in merged])
                scope.join_aliases.append((self.names.fold(alias), rows))
            if start < before:
                scope.joined.update(range(start, len(scope.sources)))
            first, scope.first = scope.first, start
            self.read(join.args.get("on"), scope)
            scope.first = first
        for lateral in node.args.get("laterals") or ():
            self.source(lateral, scope)

    def _is_comma(self, join: exp.Join) -> bool:
        """Whether it is a comma of FROM: what stands before it is not seen in ON after it."""
        return self.names.db_type == "postgresql" and not any(map(join.args.get, _JOIN))

    def _made_one(self, join: exp.Join, scope: Scope, right: int) -> Iterable[str]:
        """The columns that USING or NATURAL makes one; the right sources stand from `right`."""
        if join.args.get("method") != "NATURAL":
            return [self.names.fold(item) for item in join.args.get("using") or ()]
        left = {name for _, rows in scope.sources[:right] for name in rows.by_name}
        names = (name for _, rows in scope.sources[right:] for name in rows.by_name)
        return [name for name in names if name in left]

    def merge(self, join: exp.Join, scope: Scope) -> None:
        """Meet a join whose USING names columns of both its sides."""

    def outputs(self, items: Iterable[exp.Expr], scope: Scope) -> Rows:
        """The rows that a SELECT list or RETURNING gives."""
        columns: list[tuple[str, Origins]] = []
        is_open = False
        for item in items:
            if is_star(item):
                rows = scope.all_rows() if isinstance(item, exp.Star) else self._row(item, scope)
                columns += rows.columns
                is_open |= rows.is_open
            else:
                value = item.this if isinstance(item, exp.Alias) else item
                columns.append((output_name(item, self.names), self.origins(value, scope)))
                is_open = is_open or may_be_called_anything(item, self.names)
            if len(columns) > _MOST_COLUMNS:
                raise NotUnderstood
        return Rows(columns, is_open=is_open)

    def _row(self, star: exp.Expr, scope: Scope) -> Rows:
        rows = self.qualifier(star, scope) if isinstance(star, exp.Column) else None
        return rows or Rows(is_open=True)

    def _select(self, select: exp.Select, outer: Scope | None, tables: MadeTables) -> Rows:
        scope = Scope(self.made_by_with(select, outer, tables), outer)
        if (from_ := select.args.get("from_")) is not None:
            self.source(from_.this, scope)
        self.joins(select, scope)
        rows = self.outputs(select.expressions, scope)
        made = {name: origins for name, origins in rows.columns if name}
        db_type = self.names.db_type
        if db_type != "postgresql":
            scope.outputs = made
        self.read_all(select.expressions, scope)
        scope.shows_outputs = db_type == "sqlite"
        self.read(select.args.get("where"), scope)
        scope.shows_outputs = db_type != "postgresql"
        self.read(select.args.get("having"), scope)
        for child in select.iter_expressions():
            if child.arg_key not in _OWN:
                self.read(child, scope)
        scope.outputs = made
        scope.has_unnamed = db_type == "postgresql" and any(
            may_be_called_anything(item, self.names) for item in select.expressions
        )
        several = {
            name
            for name in rows.repeated
            if db_type == "postgresql"
            and means_several(name, select.expressions, scope, self.names)
        }
        self._sorting([select.args.get("order")], scope, several)
        self._grouping(select.args.get("group"), scope)
        self._sorting([select.args.get("distinct")], scope, several)
        return rows

    def _grouping(self, group: exp.Expr | None, scope: Scope) -> None:
        if group is None:
            return
        for item in _grouped_by(group.iter_expressions()):
            # Alone, a name may be one of the result's columns that no source has.
            scope.shows_outputs = self._is_name(item) or self.names.db_type == "sqlite"
            self.read(item, scope)

    def _sorting(
        self, clauses: Iterable[exp.Expr | None], scope: Scope, several: Collection[str] = ()
    ) -> None:
        """`several` are the names that more than one of the result's columns has."""
        for item in _sorted_by(clauses):
            # Alone, a name of one of the result's columns means that column.
            if self._is_name(item) and self.names.fold(item.this) in scope.outputs:
                if self.names.fold(item.this) in several:
                    self.problems.ambiguous_column(item.name)
                self.read_output(item, scope)
            else:
                if self.names.db_type == "postgresql":
                    scope.shows_outputs = self._is_name(item)
                self.read(item, scope)

    def _is_name(self, item: exp.Expr) -> TypeGuard[exp.Column]:
        return (
            isinstance(item, exp.Column)
            and isinstance(item.this, exp.Identifier)
            and not item.args.get("table")
        )

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
        others = [self.query(part, outer, tables) for part in reversed(parts)]
        self.problems.same_width(first, others)
        each = [other.columns for other in others]
        rows = Rows(
            [
                (place[0][0], NOTHING.union(*(origins for _, origins in place)))
                for place in zip_longest(first.columns, *each, fillvalue=("", NOTHING))
            ],
            is_open=first.is_open,
        )
        several = rows.repeated if self.names.db_type == "postgresql" else ()
        outputs = dict(rows.by_name)
        # SQLite looks for a name in each part.
        for other in others if self.names.db_type == "sqlite" else ():
            outputs = {**other.by_name, **outputs}
        for operation in operations:
            scope = Scope(tables, outer, outputs=outputs, is_open=rows.is_open)
            self._modifiers(operation, scope, several)
        return rows

    def _modifiers(self, node: exp.Expr, scope: Scope, several: Collection[str] = ()) -> None:
        """ORDER BY and LIMIT around a whole query, which see its result."""
        self._sorting([node.args.get("order")], scope, several)
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
            rows = Rows(is_open=True)
            if not self.names.is_catalog(in_schema, name):
                self.unknown.add(f"{in_schema}.{name}" if in_schema else name)
                if not self.names.is_undecided(in_schema, name):
                    self.problems.note("unknown_table")
        alias, columns = self._alias(table)
        scope.add(alias or name, rows.renamed(columns))

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
        made = Rows([(name, origins) for name in names], is_open=True)
        scope.add(alias, made)

    def _add(self, item: exp.Expr, rows: Rows, scope: Scope) -> None:
        alias, columns = self._alias(item)
        scope.add(alias, rows.renamed(columns))

    def _alias(self, item: exp.Expr) -> tuple[str, list[str]]:
        """The name that an item of FROM or WITH is given, and those of its columns."""
        alias = item.args.get("alias")
        if not isinstance(alias, exp.TableAlias):
            return "", []
        named = (part.this if isinstance(part, exp.ColumnDef) else part for part in alias.columns)
        own = alias.args.get("this")
        return "" if own is None else self.names.fold(own), [self.names.fold(n) for n in named]


def _grouped_by(items: Iterable[exp.Expr]) -> Iterator[exp.Expr]:
    """What GROUP BY names, also in brackets and in ROLLUP, CUBE and GROUPING SETS."""
    for item in items:
        if isinstance(item, _GROUPINGS):
            yield from _grouped_by(item.iter_expressions())
        else:
            yield item


def _sorted_by(clauses: Iterable[exp.Expr | None]) -> Iterator[exp.Expr]:
    """What ORDER BY and DISTINCT ON name, without the brackets around it."""
    for clause in clauses:
        if isinstance(clause, exp.Order):
            yield from (item.this.unnest() for item in clause.expressions)
        elif isinstance(clause, exp.Distinct) and clause.args.get("on") is not None:
            yield from (item.unnest() for item in clause.args["on"].expressions)
