"""Filling a collection that is not served yet with the newest snapshot of every connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from twd_schema.indexing.shares import Reading, Shares, unconnected
from twd_shared.clients.index_collections import IndexCollection
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.errors import IndexUnavailable, MigrationRefused
from twd_shared.schema_model.wording import counted
from twd_shared.store.connections import ConnectionRegistry, RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.documentation import DocumentationStore
from twd_shared.store.index_states import IndexState
from twd_shared.store.snapshots import SnapshotStore


class _Source(NamedTuple):
    """What documents are made of: the snapshot's version, a hash of the documentation."""

    version: int
    documentation: str
    database_name: str


class IndexBuilder:
    """Fills one collection; remembers what it was filled with, so that a second time is quick."""

    def __init__(
        self,
        index: SchemaIndex,
        ollama: Ollama,
        database: MetadataDatabase,
        say: Callable[[str], None],
    ) -> None:
        """`say` is told of each connection, for a log."""
        self._index = index
        self._ollama = ollama
        self._say = say
        self._shares = Shares(index, database)
        self._connections = ConnectionRegistry(database)
        self._snapshots = SnapshotStore(database)
        self._documentation = DocumentationStore(database)
        self._built: dict[str, tuple[_Source, IndexState]] = {}

    def build(self, collection: IndexCollection, served: Mapping[str, int]) -> None:
        """Bring every active connection into the collection; others may be taken out meanwhile.

        `served` are the points by connection of what is served now. A connection that was never
        read is left out, unless something of it is served: then MigrationRefused is raised.
        """
        active = [item for item in self._connections.known() if item.is_active]
        for number, registered in enumerate(active, start=1):
            state = self._bring_up(collection, registered, served)
            told = counted(state.point_count, "point") if state else "left out, it was never read"
            self._say(f"{number}/{len(active)} {registered.partition_key}: {told}.")

    def catch_up(self, collection: IndexCollection, served: Mapping[str, int]) -> list[IndexState]:
        """Do it again for what has changed since; gives what is counted in the collection then.

        While this runs nobody else may publish. What the collection holds of connections that were
        taken out meanwhile is deleted.
        """
        active = {item.connection_id: item for item in self._connections.known() if item.is_active}
        for connection_id in self._built.keys() - active.keys():
            del self._built[connection_id]
        for registered in active.values():
            self._bring_up(collection, registered, served)
        for connection_id in self._index.counts(collection.name).keys() - self._built.keys():
            self._index.points(connection_id, collection.name).delete_all()
        self._require_counted(collection)
        return [state for _, state in self._built.values()]

    def _bring_up(
        self,
        collection: IndexCollection,
        registered: RegisteredConnection,
        served: Mapping[str, int],
    ) -> IndexState | None:
        connection_id = registered.connection_id
        source = self._source(registered)
        if source is None:
            if served.get(connection_id):
                raise MigrationRefused(
                    f"{served[connection_id]} points of {registered.partition_key} are served, but "
                    "no snapshot of it is stored to build them from. Run schema_import_job for it, "
                    "then index_migration_job again."
                )
            return None
        built = self._built.get(connection_id)
        if built is not None and built[0] == source:
            return built[1]
        version, snapshot = self._snapshots.load_newest(connection_id)
        reading = Reading(unconnected(registered), snapshot, version.version)
        _, state = self._shares.bring_up(collection, reading, self._ollama.using(collection.model))
        self._built[connection_id] = (source, state)
        return state

    def _source(self, registered: RegisteredConnection) -> _Source | None:
        newest = self._snapshots.newest(registered.connection_id)
        if newest is None:
            return None
        documentation = self._documentation.fingerprint(registered.connection_id)
        return _Source(newest.version, documentation, registered.database_name)

    def _require_counted(self, collection: IndexCollection) -> None:
        present = self._index.counts(collection.name)
        for connection_id, (_, state) in self._built.items():
            if present.get(connection_id, 0) != state.point_count or not state.is_complete:
                raise IndexUnavailable(
                    f"{collection.name} holds {present.get(connection_id, 0)} points of connection "
                    f"{connection_id}, not the {state.point_count} that were written. It is not "
                    "served; look at Qdrant's log and disk."
                )
