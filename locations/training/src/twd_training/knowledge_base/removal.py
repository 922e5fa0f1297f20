"""Removing what is kept for connections that the application has paused or no longer lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from qdrant_client import QdrantClient

from twd_shared.clients.catalog import Catalog
from twd_shared.store.connections import ConnectionRegistry, RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.held_alerts import forget_told
from twd_training.knowledge_base.names import PARTS, alias_of
from twd_training.knowledge_base.versions import ModelVersions


def remove_unused(
    connections: Iterable[RegisteredConnection],
    catalog: Catalog,
    client: QdrantClient,
    database: MetadataDatabase,
    aliases: Set[str],
) -> Iterator[RegisteredConnection]:
    """Remove what is kept for inactive connections; give those of which something was removed.

    One that `catalog` still lists is paused: its training items stay, as they alone know what a
    change of the schema has made wrong. `aliases` are those in Qdrant, as far as they are known: if
    it was restored from a backup, they alone know what it has brought back. Raises
    CatalogUnavailable.
    """
    trained = ModelVersions(database).trained_snapshots()
    marked = TrainingSet(database).published_markers().keys()
    unused = [
        connection
        for connection in connections
        if not connection.is_active
        and (
            connection.connection_id in trained
            or connection.connection_id in marked
            or any(alias_of(connection.partition_key, part) in aliases for part in PARTS)
        )
    ]
    if not unused:
        return
    listing = catalog.listing()
    listed = {item.connection_id for item in (*listing.connections, *listing.unreadable)}
    for connection in unused:
        is_listed = connection.connection_id in listed
        if _remove(connection, client, database, keep_items=is_listed):
            yield connection


def _remove(
    connection: RegisteredConnection,
    client: QdrantClient,
    database: MetadataDatabase,
    *,
    keep_items: bool,
) -> bool:
    """Delete collections and aliases of a connection, and its training items if they do not stay.

    Rows of versions stay. Gives False, having done nothing, while a run holds the knowledge base,
    or when the connection is active again. Repeatable.
    """
    training_set = TrainingSet(database)
    with ModelVersions(database).exclusive_at_once(connection.connection_id) as held:
        # It may have been activated and trained since it was read as inactive.
        if held is None or ConnectionRegistry(database).is_active(connection.connection_id):
            return False
        versions = ModelVersions(database, held.still_held)
        forget_told(database, connection.connection_id)
        collections = Collections(client, connection.partition_key, held.still_held)
        collections.drop(collections.present())
        kept = versions.kept(connection.connection_id)
        versions.forget_collections(connection.connection_id, kept.keys())
        if keep_items:
            training_set.withdraw(connection.connection_id)
        else:
            training_set.delete(connection.connection_id)
        # Last: a removal that was killed is found by its live version and done again.
        versions.make_live(connection.connection_id, None)
        return True
