"""Which names of tables and columns go on to work in SQL, though they mean something else now."""

from __future__ import annotations

from collections.abc import Mapping

from twd_schema.drift.column_types import serves_as, type_of
from twd_schema.drift.renames import Pairing
from twd_shared.schema_model.models import Column, ObjectKey, SchemaObject, Table
from twd_shared.schema_model.renames import held_key

ANOTHER_TABLE = "name means another table with its columns now"
ANOTHER_COLUMN = "name means another column of its type now"


def replaced_tables(
    old: Mapping[ObjectKey, SchemaObject], new: Mapping[ObjectKey, SchemaObject], pairing: Pairing
) -> frozenset[ObjectKey]:
    """Old keys of tables that were renamed or are gone, where what has the name has the columns."""
    found: set[ObjectKey] = set()
    for key in (*pairing.objects, *pairing.lost):
        table, taker = old[key], held_key(key, new)
        if key[0] == "table" and isinstance(table, Table) and taker is not None:
            other = new[taker]
            if isinstance(other, Table) and all(is_replaced(one, other) for one in table.columns):
                found.add(key)
    return frozenset(found)


def is_replaced(column: Column, table: Table) -> bool:
    """Whether a column of the table has this one's name, and its type serves."""
    return any(
        other.name == column.name and serves_as(type_of(column), type_of(other))
        for other in table.columns
    )
