"""Questions with blanks: one wording and one statement, asked with many values.

Belongs here: the type and what blanks are filled with. Not here: the templates themselves, one
module a sample database; drawing questions from them (`drawing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

Value = str | int | tuple[str, str]
"""What stands in a blank: the same in question and SQL, or (as spoken, as in SQL)."""

LIMITS: tuple[int, ...] = (10, 5, 20, 3, 50, 100, 25, 15, 30, 7, 12, 8, 40, 200, 6, 1000)
AGGREGATES: tuple[Value, ...] = (
    ("average", "avg"),
    ("total", "sum"),
    ("highest", "max"),
    ("lowest", "min"),
)


@dataclass(frozen=True)
class Template:
    """A question in whose texts `{name}` stands for one of `values[name]`, the usual ones first.

    Rare ones are what users should not ask for, or ask of a list of their own.
    """

    english: str
    sql: str
    values: Mapping[str, Sequence[Value]] = field(hash=False)
    difficulty: int = 1
    vietnamese: str | None = None
    french: str | None = None
    japanese: str | None = None
    is_rare: bool = False


def days(first: date, count: int) -> tuple[str, ...]:
    """`count` days from `first` on, the last one first: recent days are asked for most."""
    return tuple((first + timedelta(days=n)).isoformat() for n in reversed(range(count)))


def columns(names: str) -> tuple[Value, ...]:
    """Columns as people call them and as they stand in SQL, from names between blanks."""
    return tuple((name.partition("::")[0].replace("_", " "), name) for name in names.split())


def id_lists(last: int, *lengths: int) -> tuple[Value, ...]:
    """Lists of numbers up to `last`, as people paste them from a spreadsheet."""
    return tuple(
        (f"{length} numbers", ", ".join(str(n * 7 % last + 1) for n in range(length)))
        for length in lengths
    )
