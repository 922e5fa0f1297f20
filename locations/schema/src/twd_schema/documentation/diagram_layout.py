"""Where the tables of an entity-relationship picture stand, and where its arrows may pass.

Tables stand in columns: each to the right of those that it refers to, as far as references go in
no circle. A reference over several columns gets a lane between the tables of each that it crosses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from twd_shared.schema_model.keys import TableName

Place = tuple[int, int]
"""Left and top, in pixels."""

BOX_WIDTH, COLUMN_GAP, MARGIN = 190, 90, 8
_ROW_GAP = 22
# Enough for crossings to settle among the tables of a picture; more rounds change next to nothing.
_ROUNDS = 12


class Lane(NamedTuple):
    """The free place of a reference in a column that it crosses."""

    left: TableName
    right: TableName
    column: int


class Layout(NamedTuple):
    """Where tables stand, and what the arrow between two of them passes."""

    places: dict[TableName, Place]
    lanes: dict[tuple[TableName, TableName], tuple[Place, ...]]
    """By (left end, right end), from left to right; a place is where the arrow enters a lane."""


_Item = TableName | Lane


def layout(
    targets: Mapping[TableName, Sequence[TableName]], heights: Mapping[TableName, int]
) -> Layout:
    """Place the tables of `targets`, which holds what each refers to; heights are in pixels."""
    depth = _depths(targets)
    ends = {
        (name, target) if depth[name] < depth[target] else (target, name)
        for name, others in targets.items()
        for target in others
        if target != name
    }
    columns: list[list[_Item]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in sorted(depth):
        columns[depth[name]].append(name)
    lanes = {
        (left, right): [
            Lane(left, right, column) for column in range(depth[left] + 1, depth[right])
        ]
        for left, right in sorted(ends)
    }
    neighbours: dict[_Item, list[_Item]] = {}
    for (left, right), between in lanes.items():
        for lane in between:
            columns[lane.column].append(lane)
        for one, other in pairwise((left, *between, right)):
            neighbours.setdefault(one, []).append(other)
            neighbours.setdefault(other, []).append(one)
    _untangle(columns, neighbours)
    places = _stacked(columns, neighbours, heights)
    return Layout(
        {name: places[name] for name in sorted(depth)},
        {pair: tuple(places[lane] for lane in between) for pair, between in lanes.items()},
    )


def _depths(targets: Mapping[TableName, Sequence[TableName]]) -> dict[TableName, int]:
    """How long each table's longest chain of references is; circles are cut where met."""
    depths: dict[TableName, int] = {}

    def measure(name: TableName, above: tuple[TableName, ...]) -> int:
        if name not in depths:
            chain = (*above, name)
            below = [measure(target, chain) for target in targets[name] if target not in chain]
            depths[name] = 1 + max(below, default=-1)
        return depths[name]

    for name in sorted(targets):
        measure(name, ())
    return depths


def _untangle(columns: Sequence[list[_Item]], neighbours: Mapping[_Item, Sequence[_Item]]) -> None:
    """Order each column by the middle of what its items are joined to, so that less crosses."""
    rank: dict[_Item, float] = {}

    def middle(item: _Item) -> tuple[bool, float]:
        # What is joined to nothing stands below the rest, out of the way.
        joined = neighbours.get(item, ())
        return not joined, fmean(rank[other] for other in joined) if joined else 0.0

    def number(column: Sequence[_Item]) -> None:
        rank.update((item, place / len(column)) for place, item in enumerate(column))

    for column in columns:
        number(column)
    for turn in range(_ROUNDS):
        for column in columns if turn % 2 == 0 else reversed(columns):
            column.sort(key=middle)
            number(column)


def _stacked(
    columns: Sequence[Sequence[_Item]],
    neighbours: Mapping[_Item, Sequence[_Item]],
    heights: Mapping[TableName, int],
) -> dict[_Item, Place]:
    places: dict[_Item, Place] = {}
    middles: dict[_Item, float] = {}
    for number, column in enumerate(columns):
        left, top = MARGIN + number * (BOX_WIDTH + COLUMN_GAP), MARGIN
        for item in column:
            height = 0 if isinstance(item, Lane) else heights[item]
            before = [middles[other] for other in neighbours.get(item, ()) if other in middles]
            if before:
                # Beside what it is joined to on its left, so that arrows run level.
                top = max(top, round(fmean(before) - height / 2))
            places[item] = (left, top)
            middles[item] = top + height / 2
            top += height + _ROW_GAP
    return places
