"""The job that builds the whole schema index anew, beside the one that is served."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from twd_shared.alerting import failure_alert_hook, success_log_hook
from twd_shared.contract import OLLAMA_POOL
from twd_shared.resources.failures import explained_failures, retry_policy
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.settings import Settings

if TYPE_CHECKING:
    from twd_schema.indexing.migration import Migration


# Run monitoring ends other runs after two hours; a whole index on a slow model takes longer.
_LONGEST_SECONDS = 24 * 3600
# Before imports: after a change of the layout nothing is answered until it is done.
_PRIORITY = 2


class MigrationConfig(dg.Config):
    """What a run of the job may be told.

    `rebuild`: also when the configured model is served already. `most_loss`: the loss of recall@5
    from which on the new index is not served. `accept_loss`: it is served whatever it finds.
    """

    rebuild: bool = False
    most_loss: float = 0.05
    accept_loss: bool = False


def index_migration_job(settings: Settings) -> dg.JobDefinition:
    """A job that serves an index made by the configured model, once it is complete and scored."""

    @dg.op(
        pool=OLLAMA_POOL,
        retry_policy=retry_policy(settings),
        description="Goes on where a run that was cut off stopped.",
    )
    def migrate_schema_index(
        context: dg.OpExecutionContext,
        config: MigrationConfig,
        metadata_store: MetadataStoreResource,
        ollama: OllamaResource,
        qdrant: QdrantResource,
    ) -> None:
        # Importing Qdrant's client takes a second, which every start of a run would wait for.
        from twd_schema.indexing.comparison import markdown_of
        from twd_schema.indexing.migration import IndexMigration, LossRefused, MigrationOptions

        migration = IndexMigration(
            qdrant.schema_index, ollama.client, metadata_store.database, context.log.info
        )
        with explained_failures():
            try:
                done = migration.run(
                    MigrationOptions(
                        config.rebuild,
                        config.most_loss,
                        config.accept_loss,
                        settings.recall_bound,
                    )
                )
            except LossRefused as refused:
                report = dg.MetadataValue.md(markdown_of(refused.comparisons))
                raise dg.Failure(str(refused), {"report": report}, allow_retries=False) from None
        context.add_output_metadata(_metadata(done))

    @dg.job(
        name="index_migration_job",
        description=(
            "Builds the schema index by the configured model beside the one that is served, "
            "compares the two, and serves the new one."
        ),
        tags={"dagster/max_runtime": str(_LONGEST_SECONDS), "dagster/priority": str(_PRIORITY)},
        hooks={success_log_hook(), failure_alert_hook(settings.ui_url)},
    )
    def job() -> None:
        migrate_schema_index()

    return job


def _metadata(done: "Migration") -> dict[str, Any]:
    from twd_schema.indexing.comparison import markdown_of

    metadata: dict[str, Any] = {
        "physical_collection": done.served.name,
        "model": done.served.model,
        "vector_dimension": done.served.dimension,
        "points": done.points,
        "served_before": done.before or "nothing that is known",
        "dropped": dg.MetadataValue.json(list(done.dropped)),
    }
    if done.note:
        metadata["note"] = done.note
    if done.comparisons is not None:
        metadata["report"] = dg.MetadataValue.md(markdown_of(done.comparisons))
    return metadata
