"""What two spellings of a column's type have in common, as MySQL and MariaDB write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from twd_shared.schema_model.models import Column, Table

# How wide a client shows an integer, which newer servers leave out. Only zeros fill it.
_WIDTH = re.compile(r"\b((?:tiny|small|medium|big)?int|integer)\(\d+\)", re.IGNORECASE)
_LABELS = re.compile(r"(enum|set)\(((?:'(?:[^']|'')*',?)*)\)\Z")
_LABEL = re.compile(r"'((?:[^']|'')*)'")
_DEFAULT = "COLLATE="


def holds_the_same(old_table: Table, old: Column, new_table: Table, new: Column) -> bool:
    """Whether a column whose type is told otherwise holds, and compares, what it did.

    A collation is told where it is not its table's: when that of the table changes, those of its
    columns stay, and are told or no longer told.
    """
    if _plain(old.type) != _plain(new.type):
        return False
    defaults = _default(old_table), _default(new_table)
    one, other = old.collation or defaults[0], new.collation or defaults[1]
    # A table's own is not told where it is its database's.
    is_open = defaults[0] != defaults[1] and None in (one, other)
    return is_open or _named_now(one) == _named_now(other)


def added_labels(one: str, other: str) -> Sequence[str]:
    """The labels that an ENUM or SET has gained; none if it is another in any other way."""
    before, after = _LABELS.fullmatch(one), _LABELS.fullmatch(other)
    if not before or not after or before[1] != after[1]:
        return ()
    labels = [[item.replace("''", "'") for item in _LABEL.findall(m[2])] for m in (before, after)]
    gained = [label for label in labels[1] if label not in labels[0]]
    return gained if [label for label in labels[1] if label not in gained] == labels[0] else ()


def _plain(spelling: str) -> str:
    return spelling if "zerofill" in spelling.lower() else _WIDTH.sub(r"\1", spelling)


def _default(table: Table) -> str | None:
    told = (item.removeprefix(_DEFAULT) for item in table.storage if item.startswith(_DEFAULT))
    return next(told, None)


def _named_now(collation: str | None) -> str | None:
    # So newer servers call it, to tell it from utf8mb4.
    return collation and re.sub(r"\Autf8_", "utf8mb3_", collation)
