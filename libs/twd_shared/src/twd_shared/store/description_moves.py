"""What people said of a table or column goes with it when it is renamed.

Only where a server's ids prove the rename: what was dropped and made again is another thing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from twd_shared.schema_model.renames import Rename
from twd_shared.store.tables import descriptions

_RELATIONS = ("table", "partition")


def move_descriptions(
    transaction: sa.Connection, connection_id: str, renames: Collection[Rename]
) -> None:
    """Keep what people said under the new names, all renames done at once: names may be swapped.

    What was kept under a new name was said of another object, which has gone.
    """
    of_relations = [item for item in renames if item.kind in _RELATIONS]
    objects = {item.old: item.new for item in of_relations if not item.old_member}
    members = {
        (item.old, item.old_member): (item.new, item.new_member)
        for item in of_relations
        if item.old_member
    }
    touched = objects.keys() | {table for table, _ in members}
    if not touched:
        return
    table_name = (descriptions.c.schema_name, descriptions.c.table_name)
    by_people = (descriptions.c.connection_id == connection_id, descriptions.c.source == "human")
    query = sa.select(descriptions).where(*by_people, sa.tuple_(*table_name).in_(sorted(touched)))
    moved: dict[tuple[str, str, str], sa.Row[Any]] = {}
    left: set[tuple[str, str, str]] = set()
    for row in transaction.execute(query):
        table, column = (row.schema_name, row.table_name), row.column_name
        new_table, new_column = members.get((table, column), (objects.get(table, table), column))
        if (new_table, new_column) != (table, column):
            left.add((*table, column))
            moved[*new_table, new_column] = row
    if not moved:
        return
    place = sa.tuple_(*table_name, descriptions.c.column_name)
    gone = sorted(left | moved.keys())
    transaction.execute(sa.delete(descriptions).where(*by_people, place.in_(gone)))
    transaction.execute(
        sa.insert(descriptions),
        [
            {
                "connection_id": connection_id,
                "schema_name": schema,
                "table_name": table,
                "column_name": column,
                "source": "human",
                "description": row.description,
                "written_at": row.written_at,
            }
            for (schema, table, column), row in moved.items()
        ],
    )
