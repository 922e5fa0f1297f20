"""What people said of a table or column goes with it when it is renamed.

Only where a server's ids prove the rename: what was dropped and made again is another thing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa

from twd_shared.schema_model.identities import Identity
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import RELATION_KINDS
from twd_shared.schema_model.renames import Rename
from twd_shared.store.database import text_rows
from twd_shared.store.tables import descriptions

_PLACE = ("schema_name", "table_name", "column_name")

_Place = tuple[TableName, str]


def move_descriptions(
    transaction: sa.Connection,
    connection_id: str,
    renames: Iterable[Rename],
    before: Iterable[Identity],
    now: Iterable[Identity],
) -> None:
    """Keep what people said under the new names, all renames done at once: names may be swapped.

    `before` and `now` are all objects of the two versions. Under a name that something else has
    now, words stay as long as that brings none of its own and has half of the columns at least: so
    are tables and columns rebuilt under their names.
    """
    of_relations = [item for item in renames if item.kind in RELATION_KINDS]
    if not of_relations:
        return
    tables = {item.old: item.new for item in of_relations if not item.old_member}
    columns = {
        (item.old, item.old_member): (item.new, item.new_member)
        for item in of_relations
        if item.old_member
    }
    # All of them: a renamed schema has more tables than people have described.
    by_people = (descriptions.c.connection_id == connection_id, descriptions.c.source == "human")
    said: dict[_Place, sa.Row[Any]] = {
        ((row.schema_name, row.table_name), row.column_name): row
        for row in transaction.execute(sa.select(descriptions).where(*by_people))
    }
    if not said:
        return
    moved: dict[_Place, sa.Row[Any]] = {}
    for (table, column), row in said.items():
        place = columns.get((table, column), (tables.get(table, table), column))
        if place != (table, column):
            moved[place] = row
    taken_over = tables.keys() | set(tables.values())
    spoken_for = {table for table, _ in moved}
    columns_before, columns_now = _columns(before), _columns(now)

    def stays(place: _Place) -> bool:
        table, column = place
        if table in taken_over:
            old, new = columns_before.get(table, ()), columns_now.get(table, ())
            return table not in spoken_for and _are_alike(old, new) and column in ("", *new)
        return place not in columns or column in columns_now.get(table, ())

    gone = [place for place in said if place in moved or not stays(place)]
    _delete(transaction, by_people, gone)
    if moved:
        transaction.execute(
            sa.insert(descriptions),
            [
                {
                    "connection_id": connection_id,
                    **dict(zip(_PLACE, (*table, column), strict=True)),
                    "source": "human",
                    "description": row.description,
                    "written_at": row.written_at,
                }
                for (table, column), row in moved.items()
            ],
        )


def _columns(objects: Iterable[Identity]) -> dict[TableName, tuple[str, ...]]:
    return {
        (item.schema, item.name): item.members for item in objects if item.kind in RELATION_KINDS
    }


def _are_alike(old: Collection[str], new: Collection[str]) -> bool:
    return 2 * len(set(old) & set(new)) >= max(len(old), 1)


def _delete(
    transaction: sa.Connection,
    by_people: Iterable[sa.ColumnElement[bool]],
    places: Collection[_Place],
) -> None:
    given = text_rows(_PLACE, ((*table, column) for table, column in places))
    are_these = (descriptions.c[name] == given.c[name] for name in _PLACE)
    transaction.execute(sa.delete(descriptions).where(*by_people, *are_these))
