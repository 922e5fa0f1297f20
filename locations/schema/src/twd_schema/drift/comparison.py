"""A connection's schema compared with what its index holds: what differs, and whom that hits.

One function for a sync and for its forecast, which may not tell different things.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Self

from twd_schema.drift.affected import SurroundingsReader
from twd_schema.drift.changes import SchemaDiff
from twd_schema.drift.diff import base_version, diff_snapshots
from twd_schema.drift.impact import Impact, found_impact
from twd_schema.drift.store import DiffStore
from twd_schema.extraction.scope import scoped
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import Snapshot
from twd_shared.schema_model.renames import Renames
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.index_states import IndexStateStore
from twd_shared.store.snapshot_versions import SnapshotVersion
from twd_shared.store.snapshots import SnapshotStore


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest schema of a connection, stored or only read, and what is known beside it.

    `left_out` gives (schema, name) of partitions that are in the source and not wanted, `renames`
    what is called otherwise in this version than in an earlier one. Both are asked when needed.
    """

    snapshot: Snapshot
    version: int
    left_out: Callable[[], Collection[TableName]]
    renames: Callable[[int], Renames]

    @classmethod
    def stored(cls, snapshots: SnapshotStore, version: SnapshotVersion, snapshot: Snapshot) -> Self:
        """The newest version of a connection, as it is stored."""
        source = version.connection_id
        return cls(
            snapshot,
            version.version,
            lambda: snapshots.left_out(source),
            lambda base: snapshots.renames(source, base, version.version),
        )


def compared_with_index(
    connection_id: str,
    newest: Newest,
    options: Callable[[], ExtractionOptions],
    snapshots: SnapshotStore,
    database: MetadataDatabase,
    reader: SurroundingsReader,
) -> tuple[SchemaDiff, Impact]:
    """What differs from what the index holds and was told, and what that hits; writes nothing."""
    held = IndexStateStore(database).get(connection_id)
    told = DiffStore(database).last_version(connection_id)
    base = base_version(held and held.snapshot_version, told)
    before = None
    if base:
        wanted = options()
        # What the options leave out since then is still in the source, and so is what became a
        # part of a table that they leave out.
        left_out = newest.left_out() if wanted.include or wanted.exclude else ()
        before = scoped(snapshots.load(connection_id, base), wanted, left_out)
    diff = diff_snapshots(before, newest.snapshot, base, newest.version, newest.renames(base))
    return diff, found_impact(diff, before, reader, connection_id)
