"""What the two assets that write the schema index have in common.

Their check fails when more or fewer points are there than the snapshot needs after all that was to
be done is done: something else writes to the index, or a deletion did not hold. Points that were
written and cannot be read back fail the step instead: that is IndexUnavailable, which passes, and
a step is retried where a check is not.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from twd_shared.asset_checks import check_of_sources
from twd_shared.contract import SCHEMA_EMBEDDINGS, VERIFY_TAG
from twd_shared.resources.failures import explained_failures
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.resources.stores import MetadataStoreResource

if TYPE_CHECKING:
    from twd_schema.indexing.publication import Publication

_CHECK = "schema_index_complete"


def published(
    context: dg.AssetExecutionContext,
    metadata_store: MetadataStoreResource,
    ollama: OllamaResource,
    qdrant: QdrantResource,
) -> dg.MaterializeResult:
    """Bring the schema index to the newest snapshot of the partition's connection, and check it."""
    # Importing Qdrant's client takes a second, which every start of a run would wait for.
    from twd_schema.indexing.publication import Publisher
    from twd_schema.indexing.shares import unconnected

    with explained_failures():
        registered = metadata_store.connections.by_partition(context.partition_key)
        version, snapshot = metadata_store.snapshots.load_newest(registered.connection_id)
        publisher = Publisher(qdrant.schema_index, ollama.client, metadata_store.database)
        publication = publisher.publish(
            unconnected(registered), snapshot, version.version, verify=_verifies(context)
        )
    return dg.MaterializeResult(
        metadata=_metadata(publication, qdrant.collection_name),
        data_version=dg.DataVersion(publication.state.content_hash),
        check_results=[_check(publication)],
    )


def _verifies(context: dg.AssetExecutionContext) -> bool:
    """Whether every point is to be compared: once in a run, by the last that writes the index."""
    return VERIFY_TAG in context.run.tags and context.asset_key == SCHEMA_EMBEDDINGS.key


def index_check_spec(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check that an asset which writes the index makes of it."""
    return check_of_sources(
        _CHECK,
        asset,
        "The index holds as many points of the source as its snapshot needs.",
        blocking=True,
    )


def _metadata(publication: "Publication", alias: str) -> dict[str, Any]:
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
        "embedding_seconds": round(points.embedding_seconds, 3),
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


def _check(publication: "Publication") -> dg.AssetCheckResult:
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
