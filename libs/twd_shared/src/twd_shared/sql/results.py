"""What the columns of a query's result are called, and what they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlglot import exp

from twd_shared.sql.literals import bare
from twd_shared.sql.names import SchemaNames
from twd_shared.sql.scopes import Scope

# What PostgreSQL calls ?column?, as no other column is called.
_UNNAMED = (exp.Literal, exp.Binary, exp.Null, exp.Neg, exp.Not)
# What the parser takes for an operator, however it is written: mod(a, b), power(a, b).
_MAY_BE_FUNCTIONS = (exp.Func, exp.Mod)
# Functions of one name, which the parser keeps.
_NAMED_AS_WRITTEN = (
    exp.Anonymous,
    exp.Count,
    exp.Sum,
    exp.Avg,
    exp.Min,
    exp.Max,
    exp.Lower,
    exp.Upper,
    exp.Round,
    exp.Coalesce,
)


def output_name(item: exp.Expr, names: SchemaNames) -> str:
    """The name of an item of a SELECT list as it is folded; "" if it is not worked out."""
    inner = item if isinstance(item, exp.Alias) else bare(item)
    named: object = None
    if isinstance(inner, exp.Alias):
        named = inner.args["alias"]
    elif isinstance(inner, exp.Column):
        named = inner.this
    elif isinstance(inner, exp.Dot):
        named = inner.expression
    elif isinstance(inner, _NAMED_AS_WRITTEN):
        # What PostgreSQL calls the result of a function. Of others the parser's own name is another
        # one, or that of several: ceil and ceiling.
        is_anonymous = isinstance(inner, exp.Anonymous)
        return (inner.name if is_anonymous else inner.sql_name()).lower()
    elif _is_unnamed(item, names):
        return "?column?"
    return names.fold(named) if isinstance(named, exp.Identifier) else ""


def may_be_called_anything(item: exp.Expr, names: SchemaNames) -> bool:
    """Whether the server gives the item a name that is not worked out here."""
    if isinstance(item, exp.Alias | exp.Column | exp.Dot):
        return False
    if names.db_type != "postgresql":
        # They are called as they are written.
        return True
    return not (_is_unnamed(item, names) or isinstance(bare(item), _NAMED_AS_WRITTEN))


def _is_unnamed(item: exp.Expr, names: SchemaNames) -> bool:
    is_value = isinstance(item, _UNNAMED) and not isinstance(item, _MAY_BE_FUNCTIONS)
    return is_value and names.db_type == "postgresql"


def is_star(item: exp.Expr) -> bool:
    """Whether the item is `*` or `t.*`."""
    return isinstance(item, exp.Star) or (
        isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
    )


def means_several(name: str, items: Iterable[exp.Expr], scope: Scope, names: SchemaNames) -> bool:
    """Whether several columns of the result, each another value, have the name."""
    return len({value for item in items for value in _values(name, item, scope, names)}) > 1


def _values(name: str, item: exp.Expr, scope: Scope, names: SchemaNames) -> Iterator[object]:
    if is_star(item):
        qualifier = item.args.get("table")
        alias = None if qualifier is None else names.fold(qualifier)
        for place, (known, rows) in enumerate(scope.sources):
            is_shown = alias == known if alias else (place, name) not in scope.hidden
            if is_shown and name in rows.by_name:
                yield known, name
    elif output_name(item, names) == name:
        value = bare(item.this if isinstance(item, exp.Alias) else item)
        yield _source_of(value, scope, names) or repr(value)


def _source_of(value: exp.Expr | None, scope: Scope, names: SchemaNames) -> tuple[str, str] | None:
    if not isinstance(value, exp.Column) or not isinstance(value.this, exp.Identifier):
        return None
    column = names.fold(value.this)
    qualifier = value.args.get("table")
    if qualifier is not None:
        return names.fold(qualifier), column
    for alias, rows in scope.sources:
        if column in rows.by_name:
            return alias, column
    return None
