"""What a reading proves gone, and what it merely did not see: pure functions.

An object that was known is seen, confirmed absent, or unknown. Unknown is what the reading's role
is not shown, what its dialect does not tell, or what is there and broken; it stays in the snapshot
as it was last seen. So does what is unknown inside an object: columns that are not granted, a
view's hidden query.

Of a table that is shown in part and was never known, the part is all there is: it is kept as it is
shown. A column that is shown is believed, one that is not is never taken for dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from twd_schema.extraction.scope import scoped
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.schema_model.fingerprint import key_of, objects_by_key
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import (
    RELATION_KINDS,
    Column,
    ObjectKey,
    SchemaObject,
    Snapshot,
    Table,
    UnknownFact,
    snapshot_of,
)

# Facts inside a table that a role or a server may stop telling.
_INNER_FACTS: frozenset[UnknownFact] = frozenset({"check_constraints", "definitions"})


def unseen(known: Collection[ObjectKey], read: Snapshot) -> set[ObjectKey]:
    """The known objects that `read` lacks or has in part, and of whose rest it cannot tell."""
    seen = {key_of(item) for item in read.objects}
    return {
        key
        for key in known
        if (key not in seen or key[0] in RELATION_KINDS) and not _tells_all_of(read, key)
    }


def hides_facts(read: Snapshot) -> bool:
    """Whether a table that was read may lack a fact which an earlier reading told."""
    return not _INNER_FACTS.isdisjoint(read.unknown)


def as_seen_last(
    read: Snapshot,
    options: ExtractionOptions,
    newest: Callable[[], Snapshot],
    known: Collection[ObjectKey] | None = None,
) -> tuple[Snapshot, set[ObjectKey]]:
    """`read` with what it cannot tell as it was seen last, and the keys of what it hides.

    `newest` loads the snapshot before, which is only done where something may be hidden; `known`,
    if given, are the keys of its objects. What the options leave out now is not waited for.
    """
    tells_all = read.granted is None and not read.unknown and not read.unread
    if tells_all or (
        known is not None and not (known and (unseen(known, read) or hides_facts(read)))
    ):
        return read, set()
    return completed(read, scoped(newest(), options))


def completed(read: Snapshot, before: Snapshot) -> tuple[Snapshot, set[ObjectKey]]:
    """`read` with what it cannot tell as it is in `before`, and the keys of what it hides."""
    kept = unseen({key_of(item) for item in before.objects}, read)
    return carried_forward(read, before, kept), kept


def carried_forward(read: Snapshot, before: Snapshot, kept: Collection[ObjectKey]) -> Snapshot:
    """`read` with what it cannot tell as it is in `before`, in the order of objects.

    That is objects whose keys are in `kept`, and facts of tables which `read.unknown` names.
    """
    known = objects_by_key(before)
    objects = {key: known[key] for key in kept if key in known}
    for item in read.objects:
        key = key_of(item)
        objects[key] = _completed(item, known.get(key), read.unknown, in_part=key in kept)
    whole = snapshot_of(
        [objects[key] for key in sorted(objects)],
        dialect=read.dialect,
        database_name=read.database_name,
        server_version=read.server_version,
        unknown=read.unknown,
    )
    # Of what is carried over, the store still knows the ids.
    return msgspec.structs.replace(
        whole,
        statistics=read.statistics,
        granted=read.granted,
        identities=read.identities,
        unread=read.unread,
    )


def _completed(
    item: SchemaObject,
    known: SchemaObject | None,
    unknown: Collection[UnknownFact],
    *,
    in_part: bool,
) -> SchemaObject:
    if not isinstance(item, Table) or not isinstance(known, Table) or item.kind != known.kind:
        return item
    if in_part:
        # Keys and constraints need not be shown even where all of their columns are.
        return msgspec.structs.replace(known, columns=_merged(known.columns, item.columns))
    if "definitions" in unknown and item.definition is None:
        item = msgspec.structs.replace(item, definition=known.definition)
    if "check_constraints" in unknown:
        item = msgspec.structs.replace(item, constraints=known.constraints)
    return item


def _merged(known: Collection[Column], shown: Collection[Column]) -> tuple[Column, ...]:
    by_name = {column.name: column for column in (*known, *shown)}
    return tuple(by_name.values())


def vanished(known: Collection[ObjectKey], read: Snapshot) -> set[TableName]:
    """The known tables that are confirmed absent from `read`."""
    seen = {(table.schema, table.name) for table in read.tables}
    return {
        (schema, name)
        for kind, schema, name in known
        if kind == "table"
        and (schema, name) not in seen
        and _tells_all_of(read, (kind, schema, name))
    }


def is_landslide(known: Collection[ObjectKey], gone: Collection[TableName], share: float) -> bool:
    """Whether more than `share` (0 to 1) of the known tables are gone at once."""
    count = sum(kind == "table" for kind, _, _ in known)
    return len(gone) > share * count


def _tells_all_of(read: Snapshot, key: ObjectKey) -> bool:
    kind, schema, name = key
    if kind in RELATION_KINDS:
        is_shown = read.granted is None or (schema, name) in read.granted
        return is_shown and (schema, name) not in read.unread
    return f"{kind}s" not in read.unknown


def unconfirmed_tables(keys: Collection[ObjectKey]) -> list[str]:
    """Labels of the tables among the keys, sorted, for people."""
    return sorted(f"{schema}.{name}" for kind, schema, name in keys if kind == "table")
