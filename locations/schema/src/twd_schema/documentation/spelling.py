"""Glued and abbreviated names in words, as far as the table itself tells what they mean.

`custaddr` is `customer address` if its comment says "Address of the customer"; `filmactor` is
`film actor` if the table has columns `film_id` and `actor_id`. What nothing tells stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from twd_shared.schema_model.models import Table
from twd_shared.schema_model.wording import said
from twd_shared.terms.stop_words import STOP_WORDS

# Glued to the end of a name they need no comment: `customerid`, where `customer` is known.
_ENDINGS = frozenset("code date id key name no nr num number time type".split())
_SHORTEST_PART = 3
_SHORTEST_GLUED = _SHORTEST_PART + 2
_LONGEST_GLUED = 40
# More of a comment tells of other things than of the name.
_TELLING_LENGTH = 300
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Spelling:
    """The names of a table in words: its own, and its columns' by column name."""

    table: str
    columns: Mapping[str, str]


def spelling_of(table: Table) -> Spelling:
    """The table's names in words, by their comments and by the other names of the table."""
    columns = [(column.name, said(column.name), column.comment) for column in table.columns]
    own = said(table.name)
    names = [own, *(plain for _, plain, _ in columns)]
    names += [said(key.referenced_table) for key in table.foreign_keys]
    known = _with_singulars({word for name in names for word in name.split()})
    return Spelling(
        _spelled_out(own, table.comment, known),
        {name: _spelled_out(plain, comment, known) for name, plain, comment in columns},
    )


def _spelled_out(plain: str, comment: str | None, known: set[str]) -> str:
    telling = _telling(comment) if comment else ()
    if telling:
        known = known | _with_singulars(set(telling))
    spelled: list[str] = []
    for word in plain.split():
        spelled += _parts(word, telling, known, set()) or (word,)
    return " ".join(spelled)


def _parts(
    word: str, telling: Sequence[str], known: set[str], failed: set[str]
) -> Sequence[str] | None:
    """The words that `word` is glued of; `failed` are ends that are known to be glued of none."""
    if telling:
        if word in telling or word in STOP_WORDS:
            return None
        if meant := _abbreviated(word, telling):
            return (meant,)
    if not _SHORTEST_GLUED <= len(word) <= _LONGEST_GLUED:
        return None
    # Longest beginning first: `customersid` is customers and id.
    for split in range(len(word) - 2, _SHORTEST_PART - 1, -1):
        start = word[:split]
        first = start if start in known else _abbreviated(start, telling) if telling else None
        if first is None:
            continue
        rest = word[split:]
        if rest in _ENDINGS or (len(rest) >= _SHORTEST_PART and rest in known):
            return (first, rest)
        if rest in failed:
            continue
        if more := _parts(rest, telling, known, failed):
            return (first, *more)
        failed.add(rest)
    return None


def _abbreviated(short: str, telling: Iterable[str]) -> str | None:
    """The first of the comment's words that `short` abbreviates: cust, qty, amt, dept, nm."""
    return next((word for word in telling if _abbreviates(short, word)), None)


def _abbreviates(short: str, word: str) -> bool:
    if short[0] != word[0] or len(word) < len(short) + 2 or len(short) < 2:
        return False
    if len(short) >= _SHORTEST_PART and word.startswith(short):
        return True
    # By consonants, or ending as the word does; and all its letters in their order.
    if short[-1] != word[-1] and not set("aeiouy").isdisjoint(short):
        return False
    letters = iter(word)
    return short.isalpha() and all(letter in letters for letter in short)


def _telling(comment: str) -> list[str]:
    found = _LETTERS.findall(comment[:_TELLING_LENGTH].lower())
    return [word for word in found if len(word) > 1 and word not in STOP_WORDS]


def _with_singulars(all_words: set[str]) -> set[str]:
    known = {word for word in all_words if len(word) >= _SHORTEST_PART}
    return known | {word[:-1] for word in known if len(word) > _SHORTEST_PART and word[-1] == "s"}
