"""Which names of tables and columns go on to work in SQL, though they mean something else now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from twd_schema.drift.column_types import serves_as, spelled_alike, type_of
from twd_schema.drift.renames import Pairing
from twd_schema.drift.telling import joined
from twd_shared.schema_model.models import Column, ObjectKey, SchemaObject, Table
from twd_shared.schema_model.renames import held_key
from twd_shared.schema_model.wording import counted

_MOST_NAMED = 5


class Replacement(NamedTuple):
    """What has the name of a table that was renamed or is gone."""

    table: Table
    missing: tuple[Column, ...]
    """Columns of the old table that SQL does not find in it, at least with their types."""

    def told(self) -> str:
        """What the name means, to go on with a sentence."""
        if not self.missing:
            return "name means another table with its columns now"
        names = [column.name for column in self.missing]
        if len(names) > _MOST_NAMED:
            names[_MOST_NAMED:] = [counted(len(names) - _MOST_NAMED, "more column")]
        is_ = "is" if len(self.missing) == 1 else "are"
        return (
            f"name means another table now, in which {joined(names)} {is_} missing or of another"
            " type"
        )


def replacements(
    old: Mapping[ObjectKey, SchemaObject], new: Mapping[ObjectKey, SchemaObject], pairing: Pairing
) -> dict[ObjectKey, Replacement]:
    """What SQL finds now by old keys of tables, where it has any of their columns."""
    found: dict[ObjectKey, Replacement] = {}
    for key in (*pairing.objects, *pairing.lost):
        table, taker = old[key], held_key(key, new)
        if key[0] == "table" and isinstance(table, Table) and taker is not None:
            other = new[taker]
            if isinstance(other, Table):
                missing = [column for column in table.columns if not replacing(column, other)]
                if not missing or len(missing) < len(table.columns):
                    found[key] = Replacement(other, tuple(missing))
    return found


def replacing(column: Column, table: Table) -> Column | None:
    """The table's column that has this one's name, if its type serves."""
    found = (
        other
        for other in table.columns
        if other.name == column.name and serves_as(type_of(column), type_of(other))
    )
    return next(found, None)


def another_column(column: Column, other: Column) -> str:
    """What the name of a column means that another one has now, to go on with a sentence."""
    wider = not spelled_alike(column.type, other.type)
    kind = f"the wider type {type_of(other)}" if wider else "its type"
    return f"name means another column of {kind} now"
