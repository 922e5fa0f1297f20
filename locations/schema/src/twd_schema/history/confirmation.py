"""What a reading proves gone, and what it merely did not see: pure functions.

An object that was known is seen, confirmed absent, or unknown. Unknown is what the reading's role
is not shown, or what its dialect does not tell; it stays in the snapshot as it was last seen.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from twd_shared.schema_model.fingerprint import key_of
from twd_shared.schema_model.models import ObjectKey, SchemaObject, Snapshot, snapshot_of

TableName = tuple[str, str]
"""(schema, name) of a table."""


def unseen(known: Collection[ObjectKey], read: Snapshot) -> set[ObjectKey]:
    """The known objects that `read` lacks, and of which it cannot tell whether they are gone."""
    seen = {key_of(item) for item in read.objects}
    return {key for key in known if key not in seen and not _proves_absent(read, key)}


def carried_forward(read: Snapshot, before: Snapshot, kept: Collection[ObjectKey]) -> Snapshot:
    """`read` with the objects of `before` whose keys are in `kept`, in the order of objects."""
    objects: list[SchemaObject] = [
        *read.objects,
        *(item for item in before.objects if key_of(item) in kept),
    ]
    whole = snapshot_of(
        sorted(objects, key=key_of),
        dialect=read.dialect,
        database_name=read.database_name,
        server_version=read.server_version,
        unknown=read.unknown,
    )
    return msgspec.structs.replace(whole, statistics=read.statistics, granted=read.granted)


def vanished(known: Collection[ObjectKey], read: Snapshot) -> set[TableName]:
    """The known tables that are confirmed absent from `read`."""
    seen = {(table.schema, table.name) for table in read.tables}
    return {
        (schema, name)
        for kind, schema, name in known
        if kind == "table"
        and (schema, name) not in seen
        and _proves_absent(read, (kind, schema, name))
    }


def is_landslide(known: Collection[ObjectKey], gone: Collection[TableName], share: float) -> bool:
    """Whether more than `share` (0 to 1) of the known tables are gone at once."""
    count = sum(kind == "table" for kind, _, _ in known)
    return len(gone) > share * count


def _proves_absent(read: Snapshot, key: ObjectKey) -> bool:
    kind, schema, name = key
    if kind in ("table", "partition"):
        return read.granted is None or (schema, name) in read.granted
    return f"{kind}s" not in read.unknown


def unconfirmed_tables(keys: Collection[ObjectKey]) -> list[str]:
    """Labels of the tables among the keys, sorted, for people."""
    return sorted(f"{schema}.{name}" for kind, schema, name in keys if kind == "table")
