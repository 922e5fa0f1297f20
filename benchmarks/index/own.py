"""Our schema index on real servers: every publication by new clients, as a process has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass

from benchmarks.index.model_server import MODEL
from benchmarks.services import Services
from twd_schema.documentation.documenting import document_connection
from twd_schema.indexing.documents import Document, each_document
from twd_schema.indexing.publication import Publication, Publisher
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_collections import IndexCollection
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.qdrant import open_client
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.clients.token_budget import TokenBudget
from twd_shared.schema_model.models import Snapshot
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.descriptions import DescriptionStore
from twd_shared.store.documentation import DocumentationStore
from twd_shared.store.migrate import upgrade
from twd_shared.store.snapshots import SnapshotStore


@dataclass(frozen=True, slots=True)
class OwnIndex:
    """One alias with one connection, and clients that nobody has used before."""

    index: SchemaIndex
    ollama: Ollama
    database: MetadataDatabase
    connection: Connection

    @property
    def collection(self) -> IndexCollection:
        """What is served; there is something once the connection was published."""
        served = self.index.served()
        if served is None:
            raise RuntimeError("Nothing was published yet.")
        return served

    def keep(self, snapshot: Snapshot) -> int:
        """Save and document the snapshot, as is done before a publication; gives its version."""
        snapshots = SnapshotStore(self.database)
        saved = snapshots.save(self.connection.connection_id, snapshot)
        document_connection(
            self.connection.connection_id,
            snapshots,
            DocumentationStore(self.database),
            DescriptionStore(self.database),
            None,
        )
        return saved.version.version

    def publish(self, snapshot: Snapshot, version: int) -> Publication:
        """Publish that version of the connection's schema."""
        publisher = Publisher(self.index, self.ollama, self.database)
        return publisher.publish(self.connection, snapshot, version)

    def documents(self, snapshot: Snapshot, version: int, budget: TokenBudget) -> list[Document]:
        """What a publication writes."""
        cards = DocumentationStore(self.database).cards(self.connection.connection_id)
        return list(each_document(self.connection, snapshot, version, cards, budget))


OpenIndex = Callable[[str, str], AbstractContextManager[OwnIndex]]
"""Opens the index of an alias, with a model server's address."""


@contextmanager
def opening(servers: Services) -> Iterator[OpenIndex]:
    """What opens indexes on these servers, with a metadata database of their own.

    Each alias has a connection of its own.
    """
    dsn = servers.database("bench_index")
    upgrade(dsn)

    @contextmanager
    def open_index(alias: str, ollama_url: str) -> Iterator[OwnIndex]:
        connection = Connection(alias, "business", "postgresql", True, "postgresql://h/d")
        ConnectionRegistry(database).register([connection])
        with closing(open_client(servers.qdrant)) as client:
            index = SchemaIndex(client, alias)
            yield OwnIndex(index, Ollama(ollama_url, MODEL), database, connection)

    with closing(MetadataDatabase(dsn)) as database:
        yield open_index
