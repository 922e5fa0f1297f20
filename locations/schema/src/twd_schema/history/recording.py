"""One reading recorded: the snapshot saved and the connection's status updated."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from twd_schema.extraction.reading import SchemaReader
from twd_schema.history.confirmation import as_seen_last, is_landslide, vanished
from twd_shared.clients.catalog import Connection
from twd_shared.errors import MetadataFailure, SourceBusy, SourceUnavailable, TwdError
from twd_shared.schema_model.models import ObjectKey, Snapshot
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.snapshots import HistoryMovedOn, SavedSnapshot, SnapshotStore

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class DropPolicy:
    """When a drop is believed at once: up to `share` of the tables; else read again after a wait.

    `share` is from 0 to 1, `confirm_seconds` the wait; `wait` replaces the sleep.
    """

    share: float = 0.3
    confirm_seconds: float = 30.0
    wait: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Recording:
    """A snapshot as it was saved, what saving it changed, and what the reading took."""

    snapshot: Snapshot
    saved: SavedSnapshot
    read_seconds: float
    """Of the last reading, without a wait."""
    statements: int
    """Sent by the last reading."""
    dropped_tables: tuple[str, ...] = ()
    """Tables that are gone, if they were so many that a second reading had to confirm it."""
    unconfirmed: tuple[ObjectKey, ...] = ()
    """Objects that are not shown, or in part: the rest is kept as it was last seen."""


class SnapshotRecorder:
    """Reads connections and saves what they hold, believing no deletion that is not proven."""

    def __init__(
        self,
        reader: SchemaReader,
        snapshots: SnapshotStore,
        registry: ConnectionRegistry,
        policy: DropPolicy,
    ) -> None:
        """Read with `reader`, save to `snapshots`, keep each connection's status in `registry`."""
        self._reader = reader
        self._snapshots = snapshots
        self._registry = registry
        self._policy = policy

    def record(self, connection: Connection) -> Recording:
        """Read the connection's schema and save it; a failure becomes its status and is raised.

        SourceBusy and MetadataFailure are raised alone: they say nothing of the source.

        A drop of more than the policy's share of the tables is read a second time; raises
        SourceUnavailable if that reading misses other tables, as then the drop is still going on.

        A reading during which another run saved a schema that differs is made again: it may be
        the older one, and what came in between must not seem removed.
        """
        try:
            recording = self._record_in_order(connection)
        except (SourceBusy, MetadataFailure):
            raise
        except TwdError as error:
            self._registry.set_status(connection.connection_id, "failing", str(error))
            raise
        self._registry.set_status(connection.connection_id, "ok")
        return recording

    def _record_in_order(self, connection: Connection) -> Recording:
        for _ in range(_ATTEMPTS):
            newest = self._snapshots.newest(connection.connection_id)
            try:
                return self._record(connection, newest.version if newest else 0)
            except HistoryMovedOn:
                continue
        raise SourceUnavailable(
            f"{connection.label} was read by other runs during each of {_ATTEMPTS} readings, and "
            "its schema changed between them. Nothing was recorded; it is read again later."
        )

    def _record(self, connection: Connection, newest: int) -> Recording:
        known = self._snapshots.known_objects(connection.connection_id)
        read, statements, seconds = self._timed(connection)
        gone = vanished(known, read)
        confirmed: tuple[str, ...] = ()
        if is_landslide(known, gone, self._policy.share):
            self._policy.wait(self._policy.confirm_seconds)
            read, statements, seconds = self._timed(connection)
            now_gone = vanished(known, read)
            if now_gone - gone:
                raise SourceUnavailable(
                    f"{connection.label} lost {len(gone)} of its known tables, and a second "
                    f"reading {self._policy.confirm_seconds:g} s later misses others. It is being "
                    "changed; nothing was recorded, and it is read again later."
                )
            confirmed = tuple(sorted(f"{schema}.{name}" for schema, name in now_gone))
        read, kept = as_seen_last(
            read,
            connection.extraction,
            lambda: self._snapshots.load_newest(connection.connection_id)[1],
            known,
        )
        saved = self._snapshots.save(connection.connection_id, read, kept, newest)
        return Recording(read, saved, seconds, statements, confirmed, tuple(sorted(kept)))

    def _timed(self, connection: Connection) -> tuple[Snapshot, int, float]:
        sent: list[str] = []
        start = time.monotonic()
        snapshot = self._reader.read(connection, sent.append)
        return snapshot, len(sent), time.monotonic() - start
