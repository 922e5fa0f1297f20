"""A right statement as words, in which mistakes are made.

Words are read without the parser that is measured: strings and names in quotes are one word each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

Words = list[str]
Columns = Mapping[str, Sequence[str]]
"""The columns of one schema by table."""

_WORD = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\w+|<=|>=|<>|!=|\|\||\S")


@dataclass(frozen=True, slots=True)
class Source:
    """A right statement, the tables of its schema and the names of the other schemas."""

    words: Words
    columns: Columns
    schema: str
    other_schema: str
    random: Random

    def places(self, *found: str) -> list[int]:
        """Where one of these keywords stands."""
        return [place for place, word in enumerate(self.words) if word.lower() in found]

    def any_of(self, places: Sequence[int]) -> int | None:
        """One of the places; None if there is none."""
        return self.random.choice(places) if places else None

    def tables(self) -> list[int]:
        """Where tables stand."""
        return [
            place + 1
            for place in self.places("from", "join")
            if place + 1 < len(self.words) and self.words[place + 1].startswith('"')
        ]

    def used(self) -> set[str]:
        """The tables that the statement names."""
        return {self.words[place].strip('"') for place in self.tables()}

    def named_columns(self) -> list[int]:
        """Where columns stand."""
        tables = self.tables()
        return [
            place
            for place, word in enumerate(self.words)
            if word.startswith('"') and place not in tables
        ]

    def qualifiers(self) -> list[int]:
        """Where an alias stands before a dot."""
        return [place for place, word in enumerate(self.words[1:]) if word == "."]

    def with_word(self, place: int | None, *instead: str) -> str | None:
        """The text with one word replaced."""
        if place is None:
            return None
        return text_of([*self.words[:place], *instead, *self.words[place + 1 :]])


def words_of(text: str) -> Words:
    """The words of a statement."""
    return _WORD.findall(text)


def text_of(words: Sequence[str]) -> str:
    """The statement of these words."""
    return re.sub(r" ?\. ?", ".", " ".join(words)) if "." in words else " ".join(words)


def misspelt(name: str, random: Random) -> str:
    """The name with a letter left out, doubled or added, in the quotes it has."""
    quote = '"' if name.startswith('"') else ""
    bare = name.strip('"')
    place = random.randrange(len(bare))
    kinds = (
        bare[:place] + bare[place + 1 :],
        bare[:place] + bare[place] + bare[place:],
        bare + "s",
        bare[:-1] if bare.endswith("s") else bare + "_id",
    )
    return f"{quote}{random.choice(kinds) or 'x'}{quote}"


def misspelt_at(source: Source, place: int | None) -> str | None:
    """The text with the word there misspelt."""
    if place is None:
        return None
    return source.with_word(place, misspelt(source.words[place], source.random))
