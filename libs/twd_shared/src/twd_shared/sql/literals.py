"""Which parts of an expression are compared with each other, and the strings that stand there."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

_Pair = tuple[exp.Expr, exp.Expr]

_COMPARISONS = (
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.NullSafeEQ,
    exp.NullSafeNEQ,
    exp.Like,
    exp.ILike,
)
_OF_ONE_TYPE = (exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least)
_LISTS = (exp.Array, exp.Tuple)


def compared(node: exp.Expr) -> Iterator[_Pair]:
    """The pairs of expressions of which this one makes the database compare the values."""
    if isinstance(node, _COMPARISONS):
        yield from _by_place(node.this, node.expression)
    elif isinstance(node, exp.In):
        for item in node.expressions:
            yield from _by_place(node.this, item)
    elif isinstance(node, exp.Between):
        yield node.this, node.args["low"]
        yield node.this, node.args["high"]
    elif isinstance(node, exp.Case) and node.this is not None:
        for branch in node.args.get("ifs") or ():
            yield node.this, branch.this
    elif isinstance(node, _OF_ONE_TYPE):
        first, *others = (item for item in node.iter_expressions())
        for other in others:
            yield first, other


def strings_in(node: exp.Expr | None) -> Iterator[str]:
    """The string literals that the expression is, or is a list of."""
    node = bare(node)
    if isinstance(node, exp.Any | exp.All):
        inner = bare(node.this)
        if isinstance(inner, exp.Literal) and inner.name.startswith("{"):
            # An array as PostgreSQL writes it: '{a,b}'.
            yield from (item.strip().strip('"') for item in inner.name[1:-1].split(","))
        else:
            yield from strings_in(inner)
    elif isinstance(node, exp.Literal):
        if node.is_string:
            yield node.name
    elif isinstance(node, _LISTS):
        for item in node.expressions:
            literal = bare(item)
            if isinstance(literal, exp.Literal) and literal.is_string:
                yield literal.name


def bare(node: exp.Expr | None) -> exp.Expr | None:
    """The expression without brackets and casts around it."""
    while isinstance(node, exp.Paren | exp.Cast):
        node = node.this
    return node


def _by_place(left: exp.Expr, right: exp.Expr) -> Iterator[_Pair]:
    if isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
        yield from zip(left.expressions, right.expressions, strict=False)
    else:
        for one in _of_its_type(left):
            for other in _of_its_type(right):
                yield one, other


def _of_its_type(node: exp.Expr) -> Iterator[exp.Expr]:
    """What decides of which type the expression is: of coalesce(rating, 'G') the column."""
    inner = bare(node)
    if isinstance(inner, exp.Max | exp.Min):
        yield inner.this
    elif isinstance(inner, _OF_ONE_TYPE):
        yield from inner.iter_expressions()
    else:
        yield node
