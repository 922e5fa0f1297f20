"""Publishing a connection's snapshot to the collection that is served, with its own model."""

from __future__ import annotations

from dataclasses import dataclass

from twd_schema.indexing.reconciling import Reconciliation
from twd_schema.indexing.shares import Reading, Shares
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_collections import (
    REMEDY,
    IndexCollection,
    describe,
    making_of,
    pattern_of,
)
from twd_shared.clients.index_layout import LAYOUT
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.errors import IndexOutdated, IndexRejected, ModelUnavailable, UnknownConnection
from twd_shared.schema_model.models import Snapshot
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.held_lock import HeldLock
from twd_shared.store.index_builds import IndexBuilds
from twd_shared.store.index_locks import IndexLocks
from twd_shared.store.index_states import IndexState, IndexStateStore
from twd_shared.store.snapshots import SnapshotStore


@dataclass(frozen=True, slots=True)
class Publication:
    """What a publication did, and what is recorded of it.

    `pending_model` is the configured model as long as another one is served; else None.
    """

    state: IndexState
    table_count: int
    points: Reconciliation
    previous_collection: str | None
    pending_model: str | None


class Publisher:
    """Publishes snapshots to one schema index."""

    def __init__(self, index: SchemaIndex, ollama: Ollama, database: MetadataDatabase) -> None:
        """`ollama` has the model that a first collection is made by; `database` the records."""
        self._index = index
        self._ollama = ollama
        self._shares = Shares(index, database)
        self._connections = ConnectionRegistry(database)
        self._snapshots = SnapshotStore(database)
        self._states = IndexStateStore(database)
        self._builds = IndexBuilds(database)
        self._locks = IndexLocks(database, index.alias)

    def publish(
        self, connection: Connection, snapshot: Snapshot, version: int, *, verify: bool = False
    ) -> Publication:
        """Make the index hold exactly the tables of the snapshot for this connection.

        What is already there with the same content is left alone. Of two that publish the same
        connection at once one waits, and an older snapshot never replaces a newer one. The very
        first publication creates the collection, by the configured model. With `verify` every
        point is compared, also where the records say that nothing has changed.

        Raises IndexOutdated when the model or the layout that made the collection is not there any
        more, IndexRejected when what was served is gone, ModelUnavailable when Ollama lacks the
        model, IndexUnavailable when the points read back are not the ones written,
        UnknownConnection when the connection was taken out, MetadataUnavailable when the lock was
        lost meanwhile, and the errors of the servers.
        """
        connection_id = connection.connection_id
        with self._locks.publishing(connection_id) as held:
            self._require_active(connection)
            newest = self._snapshots.newest(connection_id)
            if newest and newest.version > version:
                newest, snapshot = self._snapshots.load_newest(connection_id)
                version = newest.version
            live, previous = self._index.names()
            collection = self._first(held) if live is None else self._index.collection(live)
            points, state = self._shares.bring_up(
                collection,
                Reading(connection, snapshot, version),
                model_of(collection, self._ollama),
                self._states.get(connection_id),
                held.still_held,
                verify=verify,
            )
            held.still_held()
            self._states.put(state)
        configured = self._ollama.embed_model
        return Publication(
            state=state,
            table_count=len(snapshot.tables),
            points=points,
            previous_collection=previous,
            pending_model=configured if configured != collection.model else None,
        )

    def _require_active(self, connection: Connection) -> None:
        if not self._connections.is_active(connection.connection_id):
            raise UnknownConnection(
                f"{connection.label} was taken out while it was read; nothing of it is indexed. "
                "It is imported again when the application lists it as active."
            )

    def _first(self, held: HeldLock) -> IndexCollection:
        with self._locks.creating() as alone:
            # Another connection's first import may have been quicker.
            live, previous = self._index.names()
            if (served := live or self._set_again()) is not None:
                return self._index.collection(served)
            if previous is not None:
                raise self._index.gone(previous)
            require_nothing_lost(self._index, self._states)
            # In this order: measuring the budget tells most of what describes the model.
            budget = self._ollama.token_budget()
            making = making_of(self._ollama.embedding_model())
            collection = self._index.unserved(making)
            # What a migration builds, it alone writes to.
            if collection is None or self._builds.status(collection.name) == "building":
                collection = self._index.create(making, budget, self._builds.names())
            held.still_held()
            alone.still_held()
            self._index.serve(collection.name)
            self._builds.record(collection, "served")
            return collection

    def _set_again(self) -> str | None:
        """Serve what was served last if its alias alone was lost; gives its name."""
        last = without_alias(self._index, self._builds)
        if last is not None:
            self._index.serve(last)
        return last


def without_alias(index: SchemaIndex, builds: IndexBuilds) -> str | None:
    """Where nothing is served: what was served last, if its alias alone was lost."""
    own = pattern_of(index.alias)
    last = next(filter(own.fullmatch, builds.published()), None)
    return last if last in index.collections() else None


def require_nothing_lost(index: SchemaIndex, states: IndexStateStore) -> None:
    """Where nothing is served: raises IndexRejected if by the records something was."""
    own = pattern_of(index.alias)
    if lost := sorted(filter(own.fullmatch, states.collections())):
        # A first collection in its place would hold one connection, and seem to be all.
        raise IndexRejected(
            f"The collection that was served as {index.alias} is gone: {lost[-1]}. "
            f"Nothing was changed. {REMEDY}"
        )


def model_of(collection: IndexCollection, ollama: Ollama) -> Ollama:
    """The model that made the collection, asked from the server of `ollama`.

    Raises IndexOutdated if it is not the same now, or the layout is not that of this code;
    ModelUnavailable if it is not there; EmbeddingUnavailable when the server is away.
    """
    if collection.layout != LAYOUT:
        raise IndexOutdated(
            f"The schema index {collection.name} has layout {collection.layout}, and this "
            f"version writes {LAYOUT}. It is still served, and was not changed. {REMEDY}"
        )
    made_by = ollama.using(collection.model)
    digest = made_by.digest()
    if collection.model_digest and not digest:
        raise ModelUnavailable(
            f"Ollama does not have model {collection.model}, which made the schema index "
            f"{collection.name}. Pull it: ollama pull {collection.model}. The index is still "
            "served, and was not changed."
        )
    if digest != collection.model_digest:
        made_now = collection.making._replace(model_digest=digest)
        raise IndexOutdated(
            f"The schema index {collection.name} was made by {describe(collection.making)}, "
            f"but Ollama now has {describe(made_now)}: it was pulled again, and its vectors "
            f"do not compare. The index is still served, and was not changed. {REMEDY}"
        )
    return made_by
