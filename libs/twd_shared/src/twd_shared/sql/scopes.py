"""What names mean in one query: its sources, its result, and the queries around it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from twd_shared.sql.names import NOTHING, Origins, Rows

MadeTables = Mapping[str, Rows]
"""What WITH, or an earlier statement, made, by name."""


@dataclass(slots=True)
class Scope:
    """What names mean in one query; `outputs` are its result's columns where names see them.

    `merged` are the columns that USING or NATURAL made one, `hidden` where each is not seen again,
    `joined` the places of the sources that JOIN made one, `join_aliases` what USING (…) AS
    names, and other rows whose columns are seen behind their name alone.
    `first` is the place of the first source that is seen now, `shows_outputs` whether expressions
    see `outputs` too, `has_unnamed` whether some of these have a name that is not worked out, and
    `is_open` whether names may mean what stands nowhere here.
    """

    tables: MadeTables
    parent: Scope | None = None
    sources: list[tuple[str, Rows]] = field(default_factory=list[tuple[str, Rows]])
    outputs: Mapping[str, Origins] = field(default_factory=dict[str, Origins])
    merged: dict[str, None] = field(default_factory=dict[str, None])
    hidden: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])
    joined: set[int] = field(default_factory=set[int])
    join_aliases: list[tuple[str, Rows]] = field(default_factory=list[tuple[str, Rows]])
    first: int = 0
    shows_outputs: bool = False
    has_unnamed: bool = False
    is_open: bool = False
    _places: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    _open_places: list[int] = field(default_factory=list[int])
    _origins: dict[str, Origins] = field(default_factory=dict[str, Origins])

    def add(self, alias: str, rows: Rows) -> None:
        """Add a source behind the others."""
        place = len(self.sources)
        for name in rows.by_name:
            self._places.setdefault(name, []).append(place)
            self._origins.pop(name, None)
        if rows.is_open:
            self._open_places.append(place)
        self.sources.append((alias, rows))

    def named(self, name: str) -> Origins | None:
        """The origins of a column of any source; None if no source is known to have it."""
        if name in self._places and name not in self._origins:
            found = (self.sources[place][1].by_name[name] for place in self._places[name])
            self._origins[name] = NOTHING.union(*found)
        return self._origins.get(name)

    def all_rows(self) -> Rows:
        """What a star gives: merged columns first, then those of each source."""
        columns = [(name, self.named(name) or NOTHING) for name in self.merged]
        is_open = False
        for _, rows in self.sources:
            is_open = is_open or rows.is_open
            columns += [item for item in rows.columns if item[0] not in self.merged]
        return Rows(columns, is_open=is_open)

    def seen(self) -> Iterable[tuple[str, Rows]]:
        """The sources that are seen now, and joins, by the name before a column's dot."""
        return (*self.sources[self.first :], *self.join_aliases)

    def has(self, name: str, start: int, end: int | None = None) -> Literal[0, 1, 2]:
        """Whether the sources at these places show one column of that name, or several (2)."""
        found = 0
        for place in _between(self._places.get(name, []), start, end):
            if (place, name) not in self.hidden:
                found += 2 if name in self.sources[place][1].repeated else 1
                if found > 1:
                    return 2
        return 1 if found else 0

    def may_have_more(self, start: int, end: int | None = None) -> bool:
        """Whether not all columns of the sources at these places are known."""
        return bool(_between(self._open_places, start, end))

    def and_around(self) -> Iterator[Scope]:
        """This scope, then those of the queries around it, from the innermost outwards."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


def _between(places: Sequence[int], start: int, end: int | None) -> Sequence[int]:
    """Of sorted places those from `start` up to before `end`, None = all of them."""
    first = bisect_left(places, start)
    return places[first : None if end is None else bisect_left(places, end)]
