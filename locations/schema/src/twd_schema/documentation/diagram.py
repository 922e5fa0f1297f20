"""An entity-relationship picture of a small schema, as SVG.

Tables stand in columns: each to the right of those that it refers to, as far as references go in
no circle. Only key columns are written, as names and arrows are what a picture is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from twd_shared.schema_model.models import Snapshot, Table

MOST_TABLES = 40
_WIDTH, _LINE, _PAD, _GAP_X, _GAP_Y = 190, 16, 8, 90, 22
_LONGEST_NAME = 24
_MOST_KEY_COLUMNS = 8

TableName = tuple[str, str]
Place = tuple[int, int]
"""Left and top of a box, in pixels."""


def entity_relationship_svg(snapshot: Snapshot) -> str | None:
    """The picture, or None where there are too many tables for one, or none at all."""
    tables = [table for table in snapshot.tables if table.kind not in ("view", "materialized_view")]
    if not 0 < len(tables) <= MOST_TABLES:
        return None
    named = {(table.schema, table.name): table for table in tables}
    places = _places(_levels(named), named)
    width = max(x for x, _ in places.values()) + _WIDTH + _PAD
    height = max(y + _height(named[name]) for name, (_, y) in places.items()) + _PAD
    single = len({table.schema for table in tables}) == 1
    arrows = [
        _arrow(places[name], places[target], named[name], named[target])
        for name, table in named.items()
        for target in _targets(table)
        if target in named and target != name
    ]
    boxes = [_box(named[name], place, single) for name, place in places.items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
        '<defs><marker id="a" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#7a869a"/></marker></defs>'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
        + "".join(arrows)
        + "".join(boxes)
        + "</svg>"
    )


def _targets(table: Table) -> list[TableName]:
    names = ((key.referenced_schema, key.referenced_table) for key in table.foreign_keys)
    return list(dict.fromkeys(names))


def _levels(named: Mapping[TableName, Table]) -> list[list[TableName]]:
    """The tables by how long their longest chain of references is; circles are cut where met."""
    depth: dict[TableName, int] = {}

    def measure(name: TableName, above: tuple[TableName, ...]) -> int:
        if name not in depth:
            chain = [
                measure(target, (*above, name))
                for target in _targets(named[name])
                if target in named and target != name and target not in above
            ]
            depth[name] = 1 + max(chain, default=-1)
        return depth[name]

    for name in sorted(named):
        measure(name, ())
    levels: list[list[TableName]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in sorted(named):
        levels[depth[name]].append(name)
    return [level for level in levels if level]


def _places(
    levels: Sequence[Sequence[TableName]], named: Mapping[TableName, Table]
) -> dict[TableName, Place]:
    places: dict[TableName, Place] = {}
    for number, level in enumerate(levels):
        # Near the middle of what they refer to, so that arrows cross less.
        def height_of_targets(name: TableName) -> float:
            tops = [places[target][1] for target in _targets(named[name]) if target in places]
            return sum(tops) / len(tops) if tops else 0.0

        top = _PAD
        for name in sorted(level, key=lambda item: (height_of_targets(item), item)):
            places[name] = (_PAD + number * (_WIDTH + _GAP_X), top)
            top += _height(named[name]) + _GAP_Y
    return places


def _key_lines(table: Table) -> list[str]:
    primary = table.primary_key.columns if table.primary_key else ()
    foreign = [column for key in table.foreign_keys for column in key.columns]
    lines = [f"PK {column}" for column in primary]
    lines += [f"FK {column}" for column in dict.fromkeys(foreign) if column not in primary]
    if len(lines) > _MOST_KEY_COLUMNS:
        lines = [*lines[: _MOST_KEY_COLUMNS - 1], f"… {len(lines) - _MOST_KEY_COLUMNS + 1} more"]
    return lines


def _height(table: Table) -> int:
    return _LINE * (1 + len(_key_lines(table))) + 2 * _PAD


def _box(table: Table, place: Place, single_schema: bool) -> str:
    x, y = place
    name = table.name if single_schema else table.label
    count = f"{len(table.columns)} columns"
    lines = "".join(
        f'<text x="{x + _PAD}" y="{y + _LINE * (number + 2) + _PAD}" fill="#42526e">'
        f"{_short(line)}</text>"
        for number, line in enumerate(_key_lines(table))
    )
    return (
        f"<g><title>{escape(f'{table.label}: {count}')}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_height(table)}" rx="4" '
        'fill="#f4f5f7" stroke="#7a869a"/>'
        f'<text x="{x + _PAD}" y="{y + _LINE}" font-weight="bold" fill="#172b4d">'
        f"{_short(name)}</text>{lines}</g>"
    )


def _arrow(start: Place, end: Place, table: Table, target: Table) -> str:
    x1, y1 = start[0], start[1] + _height(table) // 2
    x2, y2 = end[0] + _WIDTH, end[1] + _height(target) // 2
    if start[0] <= end[0]:
        # Cut from a circle: it goes out at the right and comes in from the right.
        x1 = start[0] + _WIDTH
    bend = _GAP_X // 2 if start[0] > end[0] else -_GAP_X // 2
    return (
        f'<path d="M{x1},{y1} C{x1 - bend},{y1} {x2 + abs(bend)},{y2} {x2},{y2}" '
        'fill="none" stroke="#7a869a" marker-end="url(#a)"/>'
    )


def _short(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else "�" for letter in text)
    return escape(plain if len(plain) <= _LONGEST_NAME else plain[: _LONGEST_NAME - 1] + "…")
