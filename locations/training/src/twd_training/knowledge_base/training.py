"""Training one connection: its documents from the stores, published as its knowledge base."""

from __future__ import annotations

from dataclasses import dataclass

from qdrant_client import QdrantClient

from twd_shared.clients.ollama import Ollama
from twd_shared.errors import UnknownConnection
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.documentation import DocumentationStore
from twd_shared.store.snapshots import SnapshotStore
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.documents import Document, documents_of
from twd_training.knowledge_base.publishing import Published, Publisher
from twd_training.knowledge_base.versions import ModelVersions


@dataclass(frozen=True, slots=True)
class Trained:
    """The documents of a knowledge base and what publishing them did."""

    database_name: str
    documents: tuple[Document, ...]
    published: Published


def train(
    partition_key: str, database: MetadataDatabase, client: QdrantClient, ollama: Ollama
) -> Trained:
    """Publish the connection's newest schema, documentation and examples.

    All is read while the knowledge base is held: of two runs at once, the later publishes the
    newer content, and a connection that is being taken out is not published again.
    Raises UnknownConnection for a paused connection, and the errors of stores and servers.
    """
    registry, versions = ConnectionRegistry(database), ModelVersions(database)
    training_set = TrainingSet(database)
    connection_id = registry.by_partition(partition_key).connection_id
    with versions.exclusive(connection_id):
        connection = registry.by_partition(partition_key)
        if not connection.is_active:
            raise UnknownConnection(
                f"Connection {connection_id} ({connection.database_name}) is paused or was removed "
                "in the application; its knowledge base is not published. Activate it there."
            )
        version, snapshot = SnapshotStore(database).load_newest(connection_id)
        cards = DocumentationStore(database).cards(connection_id)
        # The marker first: items that come in between are published and trained for once more.
        marker = training_set.marker(connection_id)
        items = training_set.accepted(connection_id)
        documents = documents_of(snapshot, cards, items)
        collections = Collections(client, partition_key)
        publisher = Publisher(connection_id, collections, versions, ollama)
        published = publisher.publish(documents, version.version)
        training_set.mark_published(connection_id, marker)
    return Trained(connection.database_name, tuple(documents), published)
