"""Removing what is kept for connections that the application has paused or no longer lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qdrant_client import QdrantClient

from twd_shared.store.connections import RegisteredConnection
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.versions import ModelVersions


def remove_unused(
    connections: Iterable[RegisteredConnection],
    client: QdrantClient,
    versions: ModelVersions,
    training_set: TrainingSet,
) -> Iterator[RegisteredConnection]:
    """Remove what is kept for inactive connections; give those of which something was removed."""
    trained, marked = versions.trained_snapshots(), training_set.published_markers().keys()
    for connection in connections:
        is_kept = connection.connection_id in trained or connection.connection_id in marked
        if connection.is_active or not is_kept:
            continue
        if remove_knowledge_base(connection, client, versions, training_set):
            yield connection


def remove_knowledge_base(
    connection: RegisteredConnection,
    client: QdrantClient,
    versions: ModelVersions,
    training_set: TrainingSet,
) -> bool:
    """Delete collections, aliases and training items of a connection; rows of versions stay.

    Gives False, having done nothing, while a run holds the knowledge base. Repeatable.
    """
    with versions.exclusive(connection.connection_id, wait=False) as is_ours:
        if not is_ours:
            return False
        collections = Collections(client, connection.partition_key)
        collections.drop(collections.present())
        kept = versions.kept(connection.connection_id)
        versions.forget_collections(connection.connection_id, kept.keys())
        training_set.delete(connection.connection_id)
        # Last: a removal that was killed is found by its live version and done again.
        versions.make_live(connection.connection_id, None)
        return True
