"""Whether two results say the same: execution accuracy, as the Spider benchmark defines it. Pure.

The rule is that of Spider's test suites (Zhong, Yu and Klein 2020, arXiv:2010.02840; `result_eq` in
taoyds/test-suite-sql-eval): the same rows, each as often; their order counts only when the user's
SQL has an ORDER BY at its top; columns may stand in another order, and their names do not count.
Two things are added, as PostgreSQL is typed: numbers are equal over types, those with a fraction
when they agree in 12 digits (6 if one is a float4), and a date is equal to its midnight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from itertools import islice

Cell = Decimal | str | None

_DIGITS = {"float4": 6, "float8": 12, "numeric": 12}
_WHOLE = frozenset({"int2", "int4", "int8", "oid"})
_MIDNIGHT = {"timestamp": " 00:00:00", "timestamptz": " 00:00:00+00"}
# Orders of columns that are tried: there is more than one only where columns hold the same.
_MOST_ORDERS = 1000


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a result as PostgreSQL writes their values; `types` are those of its columns."""

    types: Sequence[str]
    rows: Sequence[Sequence[str | None]]


def difference(expected: Rows, given: Rows, *, ordered: bool) -> str:
    """In what two results differ; empty if they say the same."""
    if len(expected.types) != len(given.types):
        return "another number of columns"
    if len(expected.rows) != len(given.rows):
        return "another number of rows"
    digits = min(_DIGITS.get(kind, 12) for kind in (*expected.types, *given.types))
    ours, theirs = _columns(expected, digits), _columns(given, digits)
    wanted = list(zip(*ours, strict=True))
    bag, has_all_rows = Counter(wanted), False
    for order in islice(_orders(ours, theirs), _MOST_ORDERS):
        rows = list(zip(*(theirs[place] for place in order), strict=True))
        if rows == wanted:
            return ""
        has_all_rows = has_all_rows or Counter(rows) == bag
        if has_all_rows and not ordered:
            return ""
    return "another order of rows" if has_all_rows else "other rows"


def _columns(result: Rows, digits: int) -> list[list[Cell]]:
    context = Context(prec=digits)
    return [
        [_cell(kind, row[place], context) for row in result.rows]
        for place, kind in enumerate(result.types)
    ]


def _cell(kind: str, text: str | None, context: Context) -> Cell:
    if text is None:
        return None
    if kind in _WHOLE or kind in _DIGITS:
        return _number(text, context)
    return text.removesuffix(_MIDNIGHT.get(kind, ""))


def _number(text: str, context: Context) -> Cell:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite():
        return text
    # Ids are longer than what is rounded to.
    return number if number == number.to_integral_value() else context.plus(number)


def _orders(ours: Sequence[list[Cell]], theirs: Sequence[list[Cell]]) -> Iterator[tuple[int, ...]]:
    """Places of the other result's columns, each beside one of ours that holds the same values."""
    wanted, found = [_bag(column) for column in ours], [_bag(column) for column in theirs]

    def beside(taken: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(taken) == len(wanted):
            yield taken
            return
        for place, bag in enumerate(found):
            if bag == wanted[len(taken)] and place not in taken:
                yield from beside((*taken, place))

    # Else it would be looked for in vain in all orders of the columns that do fit.
    return beside(()) if Counter(wanted) == Counter(found) else iter(())


def _bag(column: list[Cell]) -> frozenset[tuple[Cell, int]]:
    return frozenset(Counter(column).items())
