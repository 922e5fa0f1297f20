"""What the two assets that write the schema index have in common."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.resources.stores import CatalogResource, MetadataStoreResource
from twd_shared.store.connections import RegisteredConnection

if TYPE_CHECKING:
    from twd_schema.indexing.publication import Publication

_CHECK = "schema_index_complete"


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
    publisher = Publisher(qdrant.schema_index, ollama.client, metadata_store.database)
    return publisher.publish(connection, snapshot, version.version)


def publication_metadata(publication: "Publication", alias: str) -> dict[str, Any]:
    """What the UI shows of a publication."""
    state, points = publication.state, publication.points
    metadata: dict[str, Any] = {
        "embedded_tables": publication.table_count,
        "vector_dimension": state.dimension,
        "collection": alias,
        "physical_collection": state.collection,
        "previous_collection": publication.previous_collection or "none",
        "model": state.model,
        "version": state.snapshot_version,
        "points_embedded_now": points.embedded,
        "points_rewritten": points.rewritten,
        "points_unchanged": points.unchanged,
        "points_deleted": points.deleted,
        "points_repaired": points.repaired,
        "points": dg.MetadataValue.text(f"{points.expected} / {points.present}"),
    }
    if points.shortened:
        metadata["shortened_tables"] = dg.MetadataValue.json(list(points.shortened))
    if publication.pending_model:
        metadata["pending_model"] = (
            f"The configured model {publication.pending_model} is not served yet; "
            "run index_migration_job."
        )
    return metadata


def index_check_spec(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check that an asset which writes the index makes of it."""
    return dg.AssetCheckSpec(
        _CHECK,
        asset=asset,
        description="The index holds as many points of the source as its snapshot needs.",
        blocking=True,
    )


def index_check(publication: "Publication") -> dg.AssetCheckResult:
    """The result of that check: points expected and present."""
    points = publication.points
    return dg.AssetCheckResult(
        check_name=_CHECK,
        passed=points.expected == points.present,
        metadata={
            "expected": points.expected,
            "present": points.present,
            "repaired": points.repaired,
        },
    )
