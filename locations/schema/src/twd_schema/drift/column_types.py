"""What two spellings of a column's type have in common, as the databases write them.

Spellings of all dialects stand together: none means something else in another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from twd_shared.schema_model.models import Column, Table

Widening = Literal["widened", "promoted", ""]

# How wide a client shows an integer, which newer servers leave out. Only zeros fill it.
_WIDTH = re.compile(r"\A((?:tiny|small|medium|big)?int|integer)\(\d+\)", re.IGNORECASE)
# A quote inside a label is doubled. What ends a label has to be clear at once: they are long.
_LABEL = re.compile(r"'((?:[^']|'')*)'")
_LABELS = re.compile(r"(enum|set)\(('(?:[^']|'')*'(?:,'(?:[^']|'')*')*)\)")
# char(n) is none of them: it is padded, or loses its blanks.
_TEXT = re.compile(r"(?:character varying|n?varchar)(?:\((\d+)\))?|(text|mediumtext|longtext)")
_DECIMAL = re.compile(r"(numeric|decimal)(?:\((\d+), ?(-?\d+)\))?( unsigned)?")
_WHOLE = re.compile(r"((?:tiny|small|medium|big)?int|integer)( unsigned)?")
_BYTES = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "integer": 4, "bigint": 8}
_FLOATS = (("real", "double precision"), ("float", "double"))
_ENDLESS = {None: 0, "text": 0, "mediumtext": 1, "longtext": 2}
_DEFAULT = "COLLATE="
_COLLATE = " collate "


def keeps_collation(old_table: Table, old: Column, new_table: Table, new: Column) -> bool | None:
    """Whether a column compares by the collation that it had; None = it is not known.

    A collation is told where it is not its table's: when that of the table changes, those of its
    columns stay, and are told or no longer told. A table's own is not told where it is its
    database's.
    """
    defaults = _default(old_table), _default(new_table)
    one, other = old.collation or defaults[0], new.collation or defaults[1]
    if defaults[0] != defaults[1] and None in (one, other):
        return None
    return _named_now(one) == _named_now(other)


def spelled_alike(one: str, other: str) -> bool:
    """Whether two types, both without a collation, are one and the same."""
    return _plain(one) == _plain(other)


def added_labels(one: str, other: str) -> Sequence[str]:
    """The labels that an ENUM or SET has gained; none if it is another in any other way."""
    before, after = _LABELS.fullmatch(one), _LABELS.fullmatch(other)
    if not before or not after or before[1] != after[1]:
        return ()
    labels = [[item.replace("''", "'") for item in _LABEL.findall(m[2])] for m in (before, after)]
    gained = [label for label in labels[1] if label not in labels[0]]
    return gained if [label for label in labels[1] if label not in gained] == labels[0] else ()


def widened(one: str, other: str) -> Widening:
    """Whether a type holds all values of another, both without a collation; '' = it does not.

    Of one that is "widened" SQL sees no difference: texts may be longer, decimals have more digits
    before the point. One that is "promoted" goes on to be compared and computed with, but is
    another kind of number: a function may take the old one alone, a result may be told otherwise.
    """
    one, other = _plain(one).lower(), _plain(other).lower()
    texts = _TEXT.fullmatch(one), _TEXT.fullmatch(other)
    if texts[0] and texts[1]:
        return "widened" if _length(texts[0]) <= _length(texts[1]) else ""
    decimals = _DECIMAL.fullmatch(one), _DECIMAL.fullmatch(other)
    if decimals[0] and decimals[1]:
        return _more_digits(decimals[0], decimals[1])
    whole = _WHOLE.fullmatch(one), _WHOLE.fullmatch(other)
    if whole[0] and whole[1]:
        fits = whole[0][2] == whole[1][2] and _bytes(whole[0]) <= _bytes(whole[1])
        return "promoted" if fits else ""
    return "promoted" if (one, other) in _FLOATS else ""


def type_of(column: Column) -> str:
    """The column's type as changes say it."""
    return f"{column.type}{_COLLATE}{column.collation}" if column.collation else column.type


def serves_as(before: str, now: str) -> bool:
    """Whether SQL for a type works with another, both as changes say them."""
    one, _, old_collation = before.partition(_COLLATE)
    other, _, new_collation = now.partition(_COLLATE)
    return _named_now(old_collation) == _named_now(new_collation) and (
        spelled_alike(one, other) or bool(added_labels(one, other) or widened(one, other))
    )


def _plain(spelling: str) -> str:
    return spelling if "zerofill" in spelling.lower() else _WIDTH.sub(r"\1", spelling)


def _length(text: re.Match[str]) -> tuple[int, int]:
    """How much such a type holds, to be compared: what has no limit comes last."""
    return (0, int(text[1])) if text[1] else (1, _ENDLESS[text[2]])


def _bytes(number: re.Match[str]) -> int:
    return _BYTES[number[1]]


def _more_digits(one: re.Match[str], other: re.Match[str]) -> Widening:
    if (one[1], one[4]) != (other[1], other[4]):
        return ""
    if other[2] is None:
        # Values keep their digits, new ones may have any number of them behind the point.
        return "promoted"
    if one[2] is None:
        return ""
    digits, behind = (int(one[2]), int(other[2])), (int(one[3]), int(other[3]))
    if behind[0] > behind[1] or digits[0] - behind[0] > digits[1] - behind[1]:
        return ""
    return "widened" if behind[0] == behind[1] else "promoted"


def _default(table: Table) -> str | None:
    told = (item.removeprefix(_DEFAULT) for item in table.storage if item.startswith(_DEFAULT))
    return next(told, None)


def _named_now(collation: str | None) -> str | None:
    # So newer servers call it, to tell it from utf8mb4.
    return collation and re.sub(r"\Autf8_", "utf8mb3_", collation)
