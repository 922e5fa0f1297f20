"""A connection's share of any collection: brought to a snapshot, or only looked at.

Belongs here: from a snapshot to points and what is recorded of them. Not here: which collection is
served, and locks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from twd_schema.indexing.documents import each_changed, each_document
from twd_schema.indexing.origins import KnownPoint, KnownTables
from twd_schema.indexing.reconciling import Reconciler, Reconciliation
from twd_schema.indexing.revision import code_revision
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_collections import IndexCollection
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.clients.token_budget import TokenBudget
from twd_shared.garbage import frozen_heap
from twd_shared.schema_model.models import Snapshot, encode
from twd_shared.store.connections import RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.documentation import DocumentationStore, TableCard
from twd_shared.store.index_origins import IndexOrigins
from twd_shared.store.index_states import IndexState, IndexStateStore


@dataclass(frozen=True, slots=True)
class Reading:
    """A connection's snapshot and its version."""

    connection: Connection
    snapshot: Snapshot
    version: int


class Shares:
    """The shares of all connections in the collections of one index."""

    def __init__(self, index: SchemaIndex, database: MetadataDatabase) -> None:
        """Points are in `index`, documentation and records in `database`."""
        self._index = index
        self._documentation = DocumentationStore(database)
        self._states = IndexStateStore(database)
        self._origins = IndexOrigins(database)

    def bring_up(
        self,
        collection: IndexCollection,
        reading: Reading,
        ollama: Ollama,
        recorded: IndexState | None = None,
        before_change: Callable[[], None] = lambda: None,
        *,
        verify: bool = False,
    ) -> tuple[Reconciliation, IndexState]:
        """Reconcile the share with the snapshot; gives what was done and what is to be recorded.

        `ollama` has the model that made the collection. `recorded` is what is recorded of the
        connection, if the collection is the one that is served: when nothing that points are made
        of has changed since, and they are still there, no document is made, unless `verify` asks
        for it. `before_change` is called before each change and stops the work by raising.
        """
        connection_id = reading.connection.connection_id
        reconciler = self._reconciler(collection, connection_id)
        # What is recorded of another collection says nothing of this one.
        is_of_this = recorded is not None and recorded.collection == collection.name
        trusted = recorded if is_of_this and not verify else None
        # Two servers are asked at once.
        with ThreadPoolExecutor(1, "twd-index") as aside:
            unchanged = (
                aside.submit(reconciler.untouched, trusted)
                if trusted is not None and trusted.snapshot_version == reading.version
                else None
            )
            held = unchanged or aside.submit(lambda: reconciler.held)
            # Before the documents: documentation that is written meanwhile must not be in it.
            source_hash = self.source_hash(collection, reading)
            if unchanged is not None and trusted is not None:
                is_same = trusted.source_hash == source_hash
                if is_same and (points := unchanged.result()):
                    return points, trusted
            told = self._told(collection, reading)
            held.result()

        @cache
        def begin() -> None:
            if recorded is not None:
                self._states.begin(connection_id)

        def before_each_change() -> None:
            before_change()
            begin()

        with frozen_heap():
            known = self._known(reconciler, trusted) if trusted is not None else {}
            points = reconciler.reconcile(
                each_changed(*told, known, code_revision()),
                ollama,
                recorded,
                before_each_change,
            )
        self._origins.put(connection_id, collection.name, points.content_hash, points.origins or {})
        return points, _state(collection, reading, points, source_hash)

    def state_in(self, collection: IndexCollection, reading: Reading) -> IndexState | None:
        """What is to be recorded if the collection holds the snapshot already; None if it does not.

        Asks no model and changes nothing.
        """
        reconciler = self._reconciler(collection, reading.connection.connection_id)
        # Before the documents: documentation that is written meanwhile must not be in it.
        source_hash = self.source_hash(collection, reading)
        points = reconciler.compare(each_document(*self._told(collection, reading)))
        return points and _state(collection, reading, points, source_hash)

    def source_hash(self, collection: IndexCollection, reading: Reading) -> str:
        """Of all that a connection's points are made of."""
        digest = sha256(encode(reading.snapshot))
        for part in (
            collection.name,
            reading.connection.database_name,
            self._documentation.fingerprint(reading.connection.connection_id),
            code_revision(),
        ):
            digest.update(f"\0{part}".encode())
        return digest.hexdigest()[:32]

    def _reconciler(self, collection: IndexCollection, connection_id: str) -> Reconciler:
        return Reconciler(collection, self._index.points(connection_id, collection.name))

    def _known(self, reconciler: Reconciler, recorded: IndexState) -> KnownTables:
        """The points that need not be made again as long as their tables are as they were.

        None, unless every point is the one that is recorded.
        """
        if not reconciler.is_as_recorded(recorded):
            return {}
        held = reconciler.held
        return {
            table: [
                KnownPoint(table, origin, point_id, held[point_id]["content_hash"])
                for point_id in points
            ]
            for table, (origin, points) in self._origins.get(
                recorded.connection_id, recorded.collection, recorded.content_hash
            ).items()
            if all(point_id in held for point_id in points)
        }

    def _told(
        self, collection: IndexCollection, reading: Reading
    ) -> tuple[Connection, Snapshot, int, Sequence[TableCard], TokenBudget]:
        """What documents are made of."""
        return (
            reading.connection,
            reading.snapshot,
            reading.version,
            self._documentation.telling(reading.connection.connection_id),
            collection.token_budget,
        )


def unconnected(registered: RegisteredConnection) -> Connection:
    """The connection as documents need it: without the string by which it could be connected to."""
    return Connection(
        registered.connection_id,
        registered.database_name,
        registered.db_type,
        registered.is_active,
        "",
    )


def _state(
    collection: IndexCollection, reading: Reading, points: Reconciliation, source_hash: str
) -> IndexState:
    return IndexState(
        connection_id=reading.connection.connection_id,
        collection=collection.name,
        model=collection.model,
        model_digest=collection.model_digest,
        dimension=collection.dimension,
        snapshot_version=reading.version,
        content_hash=points.content_hash,
        point_count=points.present,
        is_complete=points.present == points.expected,
        source_hash=source_hash,
        presence_hash=points.presence_hash,
        database_name=reading.connection.database_name,
    )
