"""The schema index that a benchmark asks: real servers, published as the schema location does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from benchmarks.services import Services
from twd_schema.indexing.publication import Publisher
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_collections import IndexCollection
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.qdrant import open_client
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.retrieval.ranking import Weights
from twd_shared.retrieval.search import rank_tables
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import Snapshot
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.migrate import upgrade


@dataclass(frozen=True, slots=True)
class OwnIndex:
    """One schema index with an alias of its own."""

    index: SchemaIndex
    ollama: Ollama
    publisher: Publisher
    registry: ConnectionRegistry

    @property
    def collection(self) -> IndexCollection:
        """What is served; there is something once a database was published."""
        served = self.index.served()
        if served is None:
            raise RuntimeError("Nothing was published yet.")
        return served

    def publish(self, connection_id: str, snapshot: Snapshot) -> None:
        """Index a schema as the connection of that id."""
        connection = Connection(
            connection_id, snapshot.database_name, snapshot.dialect, True, "postgresql://h/d"
        )
        self.registry.register([connection])
        self.publisher.publish(connection, snapshot, 1)

    def rank(
        self, connection_id: str, questions: list[str], weights: Weights
    ) -> list[list[TableName]]:
        """The first tables for each question."""
        return rank_tables(
            questions,
            connection_id=connection_id,
            index=self.index,
            ollama=self.ollama,
            collection=self.collection,
            weights=weights,
        )


@contextmanager
def own_index(servers: Services, alias: str) -> Iterator[OwnIndex]:
    """An empty schema index on these servers, with a metadata database of its own."""
    dsn = servers.database(alias)
    upgrade(dsn)
    database = MetadataDatabase(dsn)
    client = open_client(servers.qdrant)
    with closing(database), closing(client):
        index = SchemaIndex(client, alias)
        ollama = Ollama(servers.ollama, servers.embed_model)
        yield OwnIndex(
            index, ollama, Publisher(index, ollama, database), ConnectionRegistry(database)
        )
