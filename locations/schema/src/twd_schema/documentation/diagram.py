"""An entity-relationship picture of a small schema, as SVG.

Only key columns are written, as names and arrows are what a picture is for. Views are left out:
they refer to nothing. Where things stand is decided in `diagram_layout.py`.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise

from twd_schema.documentation.diagram_layout import BOX_WIDTH, COLUMN_GAP, MARGIN, Place, layout
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import ForeignKey, Snapshot, Table
from twd_shared.schema_model.wording import counted, printable

MOST_TABLES = 40
_LINE, _PAD = 16, 8
_MOST_KEY_COLUMNS = 8
_LONGEST_NAME = 28


def entity_relationship_svg(snapshot: Snapshot) -> str | None:
    """The picture, or None where there are too many tables for one, or none at all."""
    tables = [table for table in snapshot.tables if not table.is_view]
    if not 0 < len(tables) <= MOST_TABLES:
        return None
    named = {(table.schema, table.name): table for table in tables}
    keys = [
        (name, key)
        for name, table in named.items()
        for key in table.foreign_keys
        if _target(key) in named
    ]
    targets = {name: [_target(key) for owner, key in keys if owner == name] for name in named}
    heights = {name: _height(table) for name, table in named.items()}
    places, lanes = layout(targets, heights)
    single_schema = len({table.schema for table in tables}) == 1
    arrows = [
        _loop(places[name], named[name], key)
        if name == _target(key)
        else _arrow(name, key, places, lanes, named)
        for name, key in keys
    ]
    boxes = [_box(named[name], place, single_schema) for name, place in places.items()]
    # A loop stands out to the right of its box.
    width = max(left for left, _ in places.values()) + BOX_WIDTH + COLUMN_GAP // 3 + MARGIN
    height = max(top + heights[name] for name, (_, top) in places.items()) + MARGIN
    lowest = max((top for passed in lanes.values() for _, top in passed), default=0) + MARGIN
    height = max(height, lowest)
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


def _target(key: ForeignKey) -> TableName:
    return key.referenced_schema, key.referenced_table


def _key_columns(table: Table) -> list[tuple[str, str]]:
    """(mark, column) of each line of a box."""
    primary = table.primary_key.columns if table.primary_key else ()
    foreign = {column: None for key in table.foreign_keys for column in key.columns}
    own = [("PK FK" if column in foreign else "PK", column) for column in primary]
    return own + [("FK", column) for column in foreign if column not in primary]


def _lines(table: Table) -> list[str]:
    lines = [f"{mark} {column}" for mark, column in _key_columns(table)]
    if len(lines) > _MOST_KEY_COLUMNS:
        lines = [*lines[: _MOST_KEY_COLUMNS - 1], f"… {len(lines) - _MOST_KEY_COLUMNS + 1} more"]
    return lines


def _height(table: Table) -> int:
    return _LINE * (1 + len(_lines(table))) + 2 * _PAD


def _line_of(table: Table, columns: tuple[str, ...]) -> int:
    """How far down in its box the line of the first of these key columns is; else its name."""
    names = [column for _, column in _key_columns(table)]
    if not columns or columns[0] not in names:
        return _LINE - 4
    number = min(names.index(columns[0]), len(_lines(table)) - 1)
    return _LINE * (number + 2) + _PAD - 4


def _box(table: Table, place: Place, single_schema: bool) -> str:
    name = table.name if single_schema else table.label
    lines = "".join(
        f'<text x="{_PAD}" y="{_LINE * (number + 2) + _PAD}" fill="#42526e">{_short(line)}</text>'
        for number, line in enumerate(_lines(table))
    )
    # An svg in an svg cuts off what is wider than its box.
    left, top = place
    height = _height(table)
    return (
        f'<svg x="{left}" y="{top}" width="{BOX_WIDTH}" height="{height}">'
        f"<title>{escape(printable(table.label))}: "
        f"{counted(len(table.columns), 'column')}</title>"
        f'<rect x="0.5" y="0.5" width="{BOX_WIDTH - 1}" height="{height - 1}" rx="4" '
        'fill="#f4f5f7" stroke="#7a869a"/>'
        f'<text x="{_PAD}" y="{_LINE}" font-weight="bold" fill="#172b4d">{_short(name)}</text>'
        f"{lines}</svg>"
    )


def _arrow(
    name: TableName,
    key: ForeignKey,
    places: dict[TableName, Place],
    lanes: dict[tuple[TableName, TableName], tuple[Place, ...]],
    named: dict[TableName, Table],
) -> str:
    target = _target(key)
    start, end = places[name], places[target]
    y1 = start[1] + _line_of(named[name], key.columns)
    y2 = end[1] + _line_of(named[target], key.referenced_columns)
    if start[0] > end[0]:
        # The usual way: out at the left side, in at the right side of the target.
        crossed = reversed(lanes[target, name])
        stops = [(x, y) for left, y in crossed for x in (left + BOX_WIDTH, left)]
        points = [(start[0], y1), *stops, (end[0] + BOX_WIDTH, y2)]
    else:
        # Of a circle that was cut.
        stops = [(x, y) for left, y in lanes[name, target] for x in (left, left + BOX_WIDTH)]
        points = [(start[0] + BOX_WIDTH, y1), *stops, (end[0], y2)]
    commands = f"M{points[0][0]},{points[0][1]}"
    for number, ((x1, top), (x2, bottom)) in enumerate(pairwise(points)):
        bend = (x1 + x2) // 2
        # Curves lead from column to column, and straight lines through one.
        straight = number % 2 == 1
        commands += (
            f" L{x2},{bottom}" if straight else f" C{bend},{top} {bend},{bottom} {x2},{bottom}"
        )
    return _path(commands)


def _loop(place: Place, table: Table, key: ForeignKey) -> str:
    x = place[0] + BOX_WIDTH
    y1 = place[1] + _line_of(table, key.columns)
    y2 = place[1] + _line_of(table, key.referenced_columns)
    far = x + COLUMN_GAP // 3
    return _path(f"M{x},{y1} C{far},{y1} {far},{y2} {x},{y2}")


def _path(commands: str) -> str:
    return f'<path d="{commands}" fill="none" stroke="#7a869a" marker-end="url(#a)"/>'


def _short(text: str) -> str:
    plain = printable(text)
    return escape(plain if len(plain) <= _LONGEST_NAME else plain[: _LONGEST_NAME - 1] + "…")
