"""Training one connection: its documents from the stores, published as its knowledge base."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from qdrant_client import QdrantClient

from twd_shared.clients.ollama import Ollama
from twd_shared.errors import UnknownConnection
from twd_shared.garbage import frozen_heap
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore
from twd_shared.store.tables import training_items
from twd_training.evaluation.gate import Gate
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.held_alerts import HeldAlerts
from twd_training.knowledge_base.keeping import is_left_by_a_person
from twd_training.knowledge_base.material import read_material
from twd_training.knowledge_base.publishing import Published, Publisher
from twd_training.knowledge_base.versions import ModelVersions
from twd_training.knowledge_base.withdrawal import Withdrawal


@dataclass(frozen=True, slots=True)
class Trained:
    """What publishing a knowledge base did; `quarantined` counts items that the schema broke."""

    database_name: str
    published: Published
    quarantined: int


def train(
    partition_key: str,
    database: MetadataDatabase,
    client: QdrantClient,
    ollama: Ollama,
    *,
    tolerance: float,
    least_recall: float,
    link: str,
) -> Trained:
    """Publish the connection's newest schema, documentation and examples, if the gate lets them.

    All is read while the knowledge base is held: of two runs at once, the later publishes the
    newer content, and a connection that is being taken out is not published again. `tolerance` is
    the share by which recall@5 may fall, `least_recall` the recall@5 that is asked for where the
    live version cannot be compared, `link` where a message on a held version leads.
    Raises UnknownConnection for a paused connection, and the errors of stores and servers.
    """
    registry = ConnectionRegistry(database)
    training_set = TrainingSet(database)
    connection_id = registry.by_partition(partition_key).connection_id
    with ModelVersions(database).exclusive(connection_id) as held, frozen_heap():
        connection = registry.by_partition(partition_key)
        if not connection.is_active:
            raise UnknownConnection(
                f"Connection {connection_id} ({connection.database_name}) is paused or was removed "
                "in the application; its knowledge base is not published. Activate it there."
            )
        # The marker first: items that come in between are published and trained for once more.
        marker = training_set.marker(connection_id)
        material = read_material(connection_id, database)
        versions = ModelVersions(database, held.still_held)
        collections = Collections(client, partition_key, held.still_held)
        gate = Gate(material, collections, ollama, tolerance, least_recall)
        snapshots = SnapshotStore(database)
        withdrawal = Withdrawal(connection_id, material, snapshots, versions, collections)
        publisher = Publisher(connection_id, collections, versions, ollama, gate, withdrawal)
        published = publisher.publish(material)
        held.still_held()
        training_set.mark_published(connection_id, marker)
        _tell(published, HeldAlerts(database, partition_key, link))
    return Trained(connection.database_name, published, _quarantined(database, connection_id))


def _tell(published: Published, alerts: HeldAlerts) -> None:
    served, held = published.version, published.held
    if held is None and served is not None:
        alerts.tell_none_held(served)
    elif held is not None and not is_left_by_a_person(held):
        alerts.tell_held(held, served.version if served else None)


def _quarantined(database: MetadataDatabase, connection_id: str) -> int:
    query = sa.select(sa.func.count()).where(
        training_items.c.connection_id == connection_id,
        training_items.c.quarantined_since.is_not(None),
    )
    with database.begin() as transaction:
        return transaction.execute(query).scalar_one()
