"""One reading recorded: the snapshot saved and the connection's status updated."""

from __future__ import annotations

import time
from dataclasses import dataclass

from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.errors import TwdError
from twd_shared.schema_model.models import Snapshot
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.snapshots import SavedSnapshot, SnapshotStore


@dataclass(frozen=True, slots=True)
class Recording:
    """A snapshot as read, what saving it changed, and how long the reading took."""

    snapshot: Snapshot
    saved: SavedSnapshot
    read_seconds: float


def record_snapshot(
    connection: Connection,
    reader: SchemaReader,
    snapshots: SnapshotStore,
    registry: ConnectionRegistry,
) -> Recording:
    """Read the connection's schema and save it; a failure is recorded as its status and raised."""
    start = time.monotonic()
    try:
        snapshot = reader.read(connection)
    except TwdError as error:
        registry.set_status(connection.connection_id, "failing", str(error))
        raise
    seconds = time.monotonic() - start
    saved = snapshots.save(connection.connection_id, snapshot)
    registry.set_status(connection.connection_id, "ok")
    return Recording(snapshot, saved, seconds)
