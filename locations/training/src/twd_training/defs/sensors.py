"""The sensor that follows the application's training data and connections that went away."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from twd_shared.contract import source_databases
from twd_shared.errors import IndexRejected, IndexUnavailable, TwdError
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.resources.stores import (
    ApplicationDatabaseResource,
    CatalogResource,
    MetadataStoreResource,
)
from twd_shared.run_requests import Attempts, claim_run, first_claims
from twd_shared.schema_model.wording import counted
from twd_shared.settings import Settings
from twd_training.defs.jobs import ALL_OF_A_TRAINING
from twd_training.examples.changes import is_of_model, wishes_of
from twd_training.examples.store import TrainingSet
from twd_training.examples.submissions import read_markers
from twd_training.knowledge_base.versions import ModelVersions, model_name

# Long enough for automation to have requested what a schema change asks for.
_LEFT_TO_AUTOMATION = timedelta(minutes=5)
# A tick must not wait for a model that is being loaded, or for a server that is silent.
_OLLAMA_SECONDS = 3.0
# Dagster takes its time to queue each; the others are requested at the next tick.
_MOST_REQUESTS = 50
# Of a fleet that is trained anew: what a change asks for goes first.
_BEHIND_OTHERS = -1


def training_data_sensor(
    settings: Settings, job: "dg.UnresolvedAssetJobDefinition"
) -> dg.SensorDefinition:
    """The sensor `training_data_sensor`."""

    @dg.sensor(
        name="training_data_sensor",
        job=job,
        minimum_interval_seconds=settings.automation_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Requests training where users' training data, or for a while the schema index, is "
            "ahead of the knowledge base, where Qdrant has lost it, or another embedding model "
            "made it; removes knowledge bases of connections that are gone."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        metadata_store: MetadataStoreResource,
        application: ApplicationDatabaseResource,
        catalog: CatalogResource,
        qdrant: QdrantResource,
        ollama: OllamaResource,
    ) -> dg.SensorResult | dg.SkipReason:
        # Importing Qdrant's client takes a second, which every start of a run would wait for.
        from twd_training.knowledge_base.collections import served_aliases
        from twd_training.knowledge_base.keeping import vanished
        from twd_training.knowledge_base.removal import remove_unused

        training_set = TrainingSet(metadata_store.database)
        versions = ModelVersions(metadata_store.database)
        try:
            connections = metadata_store.connections.known()
            try:
                # Before the versions are read: what is served next is known by then.
                served = served_aliases(qdrant.client)
            except (IndexUnavailable, IndexRejected) as error:
                context.log.warning(str(error))
                served = None
            for removed in remove_unused(
                connections,
                catalog.catalog,
                qdrant.client,
                metadata_store.database,
                served or frozenset(),
            ):
                context.log.info(f"Removed the knowledge base of {removed.partition_key}.")
            trained = versions.trained_models()
            partitions = set(context.instance.get_dynamic_partitions(str(source_databases.name)))
            wishes = wishes_of(
                [item for item in connections if item.partition_key in partitions],
                now=read_markers(application.database, had_some=training_set.has_taught()),
                published=training_set.published_markers(),
                live=versions.trained_snapshots(),
                indexed=metadata_store.index_states.snapshot_versions(
                    published_before=datetime.now(UTC) - _LEFT_TO_AUTOMATION
                ),
                vanished=() if served is None else vanished(versions, served),
                trained=trained,
                model=_present_model(context, ollama) if trained else None,
            )
        except TwdError as error:
            return dg.SkipReason(str(error))
        attempts = Attempts(context.cursor)
        attempts.forget_others(set(wishes))
        claims = (
            claim_run(
                context.instance,
                attempts,
                item,
                wishes[item.connection_id],
                sensor.name,
                ALL_OF_A_TRAINING,
                _BEHIND_OTHERS if is_of_model(wishes[item.connection_id]) else 0,
            )
            for item in connections
            if item.connection_id in wishes
        )
        requests = first_claims(claims, _MOST_REQUESTS)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else _nothing_to_train(len(connections), len(wishes)),
            cursor=attempts.cursor(),
        )

    return sensor


def _present_model(context: dg.SensorEvaluationContext, resource: OllamaResource) -> str | None:
    """The embedding model that Ollama has now; None if it has none, or does not say."""
    # Importing it takes a while, which every start of a run would wait for.
    from twd_shared.clients.ollama import Ollama

    model = resource.embed_model
    try:
        digest = Ollama(resource.base_url, model, timeout_seconds=_OLLAMA_SECONDS).digest()
    except TwdError as error:
        context.log.warning(str(error))
        return None
    return model_name(model, digest) if digest else None


def _nothing_to_train(known: int, waiting: int) -> dg.SkipReason:
    if not waiting:
        return dg.SkipReason(
            f"{counted(known, 'connection')} known, all of their training is up to date."
        )
    return dg.SkipReason(
        f"To be trained: {counted(waiting, 'connection')}, whose runs are in flight, or have "
        "failed and wait for their next try."
    )
