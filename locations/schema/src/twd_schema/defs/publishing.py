"""What the two assets that write the schema index have in common."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.resources.stores import CatalogResource, MetadataStoreResource
from twd_shared.store.connections import RegisteredConnection

if TYPE_CHECKING:
    from twd_schema.indexing.publication import Publication


def publish_newest(
    registered: RegisteredConnection,
    metadata_store: MetadataStoreResource,
    catalog: CatalogResource,
    ollama: OllamaResource,
    qdrant: QdrantResource,
) -> "Publication":
    """Bring the schema index to the connection's newest snapshot."""
    # Importing Qdrant's client takes a second, which every start of a run would wait for.
    from twd_schema.indexing.publication import Publisher

    connection = catalog.connection(registered)
    version, snapshot = metadata_store.snapshots.load_newest(registered.connection_id)
    publisher = Publisher(qdrant.schema_index, ollama.client, metadata_store.index_states)
    return publisher.publish(connection, snapshot, version.version)


def publication_metadata(publication: "Publication", alias: str) -> dict[str, Any]:
    """What the UI shows of a publication."""
    state = publication.state
    return {
        "embedded_tables": publication.table_count,
        "vector_dimension": state.dimension,
        "collection": alias,
        "physical_collection": state.collection,
        "model": state.model,
        "version": state.snapshot_version,
        "points_embedded_now": publication.embedded,
        "points_unchanged": publication.unchanged,
        "points_deleted": publication.deleted,
        "points": dg.MetadataValue.text(f"{publication.expected} / {publication.present}"),
    }
