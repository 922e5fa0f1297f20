"""What of a source a connection wants read: which tables, partitions by name or not, samples.

Belongs here: the form of the application's field `extraction` and of its table patterns. Not
here: what they do to a snapshot, which only the location that reads sources knows.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

# Each half is made of plain characters and of quoted pieces; a dot outside quotes parts them. A
# quote ends a piece or is one of two, and never either: a text that is no pattern is refused in one
# pass. (Possessive repetition would say so too; Python 3.11 matches it wrongly before 3.11.5.)
_IN_QUOTES, _END = r'(?:[^"]|"")+', r'"(?!")'
_HALF = rf'(?:"{_IN_QUOTES}{_END}|[^".])+'
_PATTERN = re.compile(rf"({_HALF})(?:\.({_HALF}))?", re.DOTALL)
_PIECE = re.compile(rf'"(?P<quoted>{_IN_QUOTES}){_END}|(?P<plain>[^"])', re.DOTALL)


@dataclass(frozen=True, slots=True)
class TablePattern:
    """A pattern over (schema, table); `is_whole_schema` where it takes any table's name."""

    schema: re.Pattern[str]
    table: re.Pattern[str]
    is_whole_schema: bool

    def matches(self, schema: str, table: str) -> bool:
        """Whether it means this table; upper and lower case differ."""
        return bool(self.schema.match(schema) and self.table.match(table))


def table_pattern(text: str) -> TablePattern:
    """The pattern written as `schema.table`, or `schema` for all of a schema.

    `*` stands for any characters and `?` for one. Between double quotes nothing is special, so
    that `"my.schema"."50%*"` means that one table; a quote in a name is written twice. So does
    pg_dump, but for upper case, which it folds outside quotes.

    Raises: ValueError for a text that is no such pattern.
    """
    halves = _PATTERN.fullmatch(text)
    if halves is None or not text.isprintable():
        raise ValueError(
            f"{text!r} is no table pattern: write schema.table or schema, with * and ?, and a "
            "name that holds a dot, a quote, * or ? between double quotes"
        )
    table = halves[2] or "*"
    return TablePattern(_compiled(halves[1]), _compiled(table), not table.strip("*"))


def _compiled(half: str) -> re.Pattern[str]:
    pieces: list[str] = []
    for piece in _PIECE.finditer(half):
        if piece["plain"]:
            # To fnmatch a bracket opens a set of characters; here it is one of a name.
            pieces.append("[[]" if piece["plain"] == "[" else piece["plain"])
        else:
            name = piece["quoted"].replace('""', '"')
            pieces.append(re.sub(r"[*?\[]", r"[\g<0>]", name))
    return re.compile(fnmatch.translate("".join(pieces)))


# Bounds on what one row of the application can make every reading do.
_Pattern = Annotated[str, msgspec.Meta(max_length=300)]
_Patterns = Annotated[tuple[_Pattern, ...], msgspec.Meta(max_length=100)]


class ExtractionOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A connection's choices; `include` empty = all tables, and `exclude` wins over it."""

    include: _Patterns = ()
    exclude: _Patterns = ()
    partitions: Literal["folded", "listed"] = "folded"
    """Whether a partition is part of its parent, or a table of its own."""
    samples: bool = False
    """Whether the few values of a column may be kept."""

    def __post_init__(self) -> None:
        for text in (*self.include, *self.exclude):
            table_pattern(text)
