"""What an expression reads: each column resolved in the scope where it stands.

Not here: queries, which make scopes (`queries.py`). Expressions are walked without recursion,
since a chain of ANDs is a tree as deep as it is long.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from sqlglot import exp

from twd_shared.schema_model.keys import TableName
from twd_shared.sql.literals import bare, compared, strings_in
from twd_shared.sql.names import NOTHING, ColumnName, Origins, Rows, SchemaNames
from twd_shared.sql.problems import Problems
from twd_shared.sql.scopes import MadeTables, Scope


class Expressions(ABC):
    """Collects what expressions read."""

    def __init__(self, names: SchemaNames) -> None:
        """Resolve names against `names`."""
        self.names = names
        self.tables: set[TableName] = set()
        self.columns: set[ColumnName] = set()
        self.literals: set[tuple[ColumnName, str]] = set()
        self.unknown: set[str] = set()
        self.problems = Problems(names)

    @abstractmethod
    def query(self, node: exp.Expr, outer: Scope | None, tables: MadeTables) -> Rows:
        """Collect from a query, which sees `outer`; gives its rows."""

    def read(self, root: exp.Expr | None, scope: Scope) -> None:
        """Collect from an expression."""
        waiting = [] if root is None else [root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, exp.Query | exp.Values):
                self.query(node, scope, scope.tables)
            elif isinstance(node, exp.Column):
                self.columns |= self.find(node, scope) or NOTHING
                self.problems.column(node, scope)
            else:
                if isinstance(node, exp.Dot):
                    self._field(node, scope)
                for left, right in compared(node):
                    self.compare(self.origins(left, scope), right)
                    self.compare(self.origins(right, scope), left)
                waiting.extend(node.iter_expressions(reverse=True))
                if isinstance(node, exp.In) and node.args.get("query") is not None:
                    # PostgreSQL looks at the subquery before what is looked for in it.
                    waiting[-2:] = waiting[:-3:-1]

    def read_all(self, items: Iterable[exp.Expr], scope: Scope) -> None:
        """Collect from each expression."""
        for item in items:
            self.read(item, scope)

    def compare(self, origins: Origins, value: exp.Expr | None) -> None:
        """Note the strings that values of these origins are compared with."""
        if origins:
            for text in strings_in(value):
                self.literals.update((column, text) for column in origins)

    def origins(self, node: exp.Expr, scope: Scope) -> Origins:
        """The columns that the expression is, whatever brackets and casts are around it."""
        inner = bare(node)
        if isinstance(inner, exp.Any | exp.All):
            inner = bare(inner.this)
        return (isinstance(inner, exp.Column) and self.find(inner, scope)) or NOTHING

    def qualifier(self, column: exp.Column, scope: Scope) -> Rows | None:
        """The rows that stand before a column's dot, from the innermost query outwards."""
        alias = self.names.fold(column.args["table"])
        schema = column.args.get("db")
        for around in scope.and_around():
            for name, rows in (*around.sources, *around.join_aliases):
                if name == alias and (
                    schema is None or self.names.is_in_schema(rows, self.names.fold(schema))
                ):
                    return rows
        return None

    def find(self, column: exp.Column, scope: Scope) -> Origins | None:
        """What a column's name means there; None = a column that is not known."""
        if not isinstance(column.this, exp.Identifier) or self.names.is_keyword(column):
            return None
        name = self.names.fold(column.this)
        if column.args.get("table"):
            rows = self.qualifier(column, scope)
            return rows.by_name.get(name) if rows else None
        for around in scope.and_around():
            found = around.named(name)
            if found is None:
                found = around.outputs.get(name)
            if found is not None:
                return found
            if any(name == alias for alias, _ in around.sources):
                # A whole row, which reads the table as a star does.
                return NOTHING
        return None

    def _field(self, dot: exp.Dot, scope: Scope) -> None:
        """A column of a whole row: (film).title, or of a name in three parts and more."""
        row = bare(dot.this)
        if not isinstance(row, exp.Column) or row.args.get("table"):
            return
        if not isinstance(row.this, exp.Identifier) or not isinstance(
            dot.expression, exp.Identifier
        ):
            return
        alias, name = self.names.fold(row.this), self.names.fold(dot.expression)
        for around in scope.and_around():
            if around.named(alias) is not None:
                return
            for known, rows in around.sources:
                if known == alias:
                    self.columns |= rows.by_name.get(name, NOTHING)
                    return
