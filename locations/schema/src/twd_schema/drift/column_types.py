"""What two spellings of a column's type have in common, as MySQL and MariaDB write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from twd_shared.schema_model.models import Column, Table

# How wide a client shows an integer, which newer servers leave out. Only zeros fill it.
_WIDTH = re.compile(r"\A((?:tiny|small|medium|big)?int|integer)\(\d+\)", re.IGNORECASE)
# A quote inside a label is doubled. What ends a label has to be clear at once: they are long.
_LABEL = re.compile(r"'((?:[^']|'')*)'")
_LABELS = re.compile(r"(enum|set)\(('(?:[^']|'')*'(?:,'(?:[^']|'')*')*)\)")
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


def type_of(column: Column) -> str:
    """The column's type as changes say it."""
    return f"{column.type}{_COLLATE}{column.collation}" if column.collation else column.type


def serves_as(before: str, now: str) -> bool:
    """Whether SQL for a type works with another, both as changes say them."""
    one, _, old_collation = before.partition(_COLLATE)
    other, _, new_collation = now.partition(_COLLATE)
    return _named_now(old_collation) == _named_now(new_collation) and (
        spelled_alike(one, other) or bool(added_labels(one, other))
    )


def _plain(spelling: str) -> str:
    return spelling if "zerofill" in spelling.lower() else _WIDTH.sub(r"\1", spelling)


def _default(table: Table) -> str | None:
    told = (item.removeprefix(_DEFAULT) for item in table.storage if item.startswith(_DEFAULT))
    return next(told, None)


def _named_now(collation: str | None) -> str | None:
    # So newer servers call it, to tell it from utf8mb4.
    return collation and re.sub(r"\Autf8_", "utf8mb3_", collation)
