"""What a sync would find and tell now: a reading compared with what the index holds.

Nothing is recorded: the reading is completed and its renames are followed as a sync does it.
"""

from __future__ import annotations

from dataclasses import dataclass

from twd_schema.drift.affected import SurroundingsReader
from twd_schema.drift.breaking_changes import BreakingChanges, Told
from twd_schema.drift.changes import SchemaDiff
from twd_schema.drift.comparison import Newest, compared_with_index
from twd_schema.drift.diff import diff_snapshots
from twd_schema.drift.impact import Impact
from twd_schema.history.confirmation import as_seen_last
from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.fingerprint import key_of
from twd_shared.schema_model.identities import Identities, left_out
from twd_shared.schema_model.models import Snapshot
from twd_shared.schema_model.renames import (
    NameHistory,
    Renames,
    RenameStep,
    mean_the_same,
    renames_by_id,
)
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore
from twd_shared.store.table_identities import as_read, read_identities


@dataclass(frozen=True, slots=True)
class Forecast:
    """The snapshot that a sync would save, its diff, whom that hits, and how much is told of it."""

    snapshot: Snapshot
    diff: SchemaDiff
    impact: Impact
    told: Told


def forecast(
    connection: Connection, read: Snapshot, database: MetadataDatabase, reader: SurroundingsReader
) -> Forecast:
    """What a sync of the connection would find and tell, had it read this; writes nothing."""
    connection_id = connection.connection_id
    snapshots = SnapshotStore(database)
    newest = snapshots.newest(connection_id)
    if newest is None:
        return Forecast(read, diff_snapshots(None, read, 0, 1), Impact(), Told(0, 0))
    read, _ = as_seen_last(
        read, connection.extraction, lambda: snapshots.load(connection_id, newest.version)
    )

    def hidden() -> set[tuple[str, str]]:
        seen = read.identities.objects if read.identities else ()
        found = left_out(seen, {key_of(item) for item in read.objects})
        return {(item.schema, item.name) for item in found}

    def renames(base: int) -> Renames:
        versions = (base, newest.version)
        return _renames(snapshots, database, connection_id, versions, read.identities)

    now = Newest(read, newest.version + 1, hidden, renames)
    diff, impact = compared_with_index(
        connection_id, now, lambda: connection.extraction, snapshots, database, reader
    )
    told = BreakingChanges(database).would_tell(connection_id, diff, read)
    return Forecast(read, diff, impact, told)


def _renames(
    snapshots: SnapshotStore,
    database: MetadataDatabase,
    connection_id: str,
    versions: tuple[int, int],
    now: Identities | None,
) -> Renames:
    """What is called otherwise now than in the first version: up to the second, and since."""
    base, newest = versions
    recorded = snapshots.renames(connection_id, base, newest)
    with database.read() as transaction:
        stored = read_identities(transaction, connection_id)
    known = stored.objects() if stored else ()
    if now is None or stored is None or not mean_the_same(as_read(stored.origin, known), now):
        return Renames(items=recorded.items)
    lasting = (item for item in known if item.since <= max(base, 1))
    since = renames_by_id(as_read(stored.origin, lasting), now)
    steps = [
        RenameStep(version=version, since=0, rename=rename)
        for version, found in ((1, recorded.items), (2, since))
        for rename in found
    ]
    complete = recorded.complete and stored.version == newest
    return Renames(items=NameHistory(steps, 0).renames(), complete=complete)
