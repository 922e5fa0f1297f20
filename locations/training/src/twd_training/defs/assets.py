"""Assets of the group training: examples, knowledge base, evaluation, for each connection."""

from collections.abc import Mapping

import dagster as dg

from twd_shared.automation import on_changed_inputs, once_published
from twd_shared.contract import (
    OLLAMA_POOL,
    RAW_SCHEMA_METADATA,
    SCHEMA_DOCUMENTATION,
    SCHEMA_EMBEDDINGS,
    TRAINED_MODEL,
    TRAINING,
    UPDATED_EMBEDDINGS,
    external_specs,
    owner_of,
    source_databases,
)
from twd_shared.lineage import stored_in
from twd_shared.resources.failures import explained_failures, retry_policy
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.resources.stores import ApplicationDatabaseResource, MetadataStoreResource
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.settings import Settings
from twd_shared.store import tables
from twd_training.defs.presentation import (
    evaluation_metadata,
    examples_metadata,
    training_metadata,
)
from twd_training.evaluation.retrievers import SCHEMA_INDEX
from twd_training.examples.collecting import collect_examples
from twd_training.examples.store import TrainingSet

TRAINING_EXAMPLES_KEY = dg.AssetKey(["training", "training_examples"])
MODEL_EVALUATION_KEY = dg.AssetKey(["training", "model_evaluation"])
RECALL_CHECK = "retrieval_recall_sufficient"

TRAINING_DATA = dg.AssetSpec(
    ["application", "training_data"],
    description="What users wrote in the application: documentation and question/SQL pairs.",
    group_name="training",
    owners=[owner_of(TRAINING)],
    kinds={"postgresql"},
)

EXTERNAL_ASSETS = [
    TRAINING_DATA,
    *external_specs(
        [RAW_SCHEMA_METADATA, SCHEMA_DOCUMENTATION, SCHEMA_EMBEDDINGS, UPDATED_EMBEDDINGS]
    ),
]


def training_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The three assets that a training materializes."""

    @dg.asset(
        key=TRAINING_EXAMPLES_KEY,
        description="What users taught about a source, each item checked against its schema.",
        deps=[RAW_SCHEMA_METADATA.key, TRAINING_DATA],
        partitions_def=source_databases,
        group_name="training",
        owners=[owner_of(TRAINING)],
        kinds={"python", "postgresql"},
        metadata=stored_in(tables.training_items),
        automation_condition=once_published(
            on_changed_inputs(lineage_only=dg.AssetSelection.assets(TRAINING_DATA.key))
        ),
        retry_policy=retry_policy(settings),
    )
    def training_examples(
        context: dg.AssetExecutionContext,
        metadata_store: MetadataStoreResource,
        application: ApplicationDatabaseResource,
    ) -> dg.MaterializeResult:
        with explained_failures():
            registered = metadata_store.connections.by_partition(context.partition_key)
            collected = collect_examples(
                registered.connection_id,
                application.database,
                metadata_store.snapshots,
                TrainingSet(metadata_store.database),
            )
        return dg.MaterializeResult(
            metadata={
                "database_name": registered.database_name,
                **examples_metadata(collected),
            },
            data_version=dg.DataVersion(collected.fingerprint),
        )

    @dg.asset(
        key=TRAINED_MODEL.key,
        description=(
            "The knowledge base of a source: DDL, documentation, relationships and examples, "
            "published for Vanna and LangChain."
        ),
        deps=[
            RAW_SCHEMA_METADATA.key,
            SCHEMA_DOCUMENTATION.key,
            UPDATED_EMBEDDINGS.key,
            training_examples,
        ],
        partitions_def=source_databases,
        group_name="training",
        owners=[owner_of(TRAINING)],
        kinds={"qdrant", "ollama"},
        metadata=stored_in(tables.model_versions),
        automation_condition=once_published(on_changed_inputs()),
        pool=OLLAMA_POOL,
        retry_policy=retry_policy(settings),
    )
    def trained_model(
        context: dg.AssetExecutionContext,
        metadata_store: MetadataStoreResource,
        ollama: OllamaResource,
        qdrant: QdrantResource,
    ) -> dg.MaterializeResult:
        with explained_failures():
            # Importing Qdrant's client takes a second, which every start of a run would wait for.
            from twd_training.knowledge_base.training import train

            trained = train(
                context.partition_key, metadata_store.database, qdrant.client, ollama.client
            )
        version = trained.published.version
        return dg.MaterializeResult(
            metadata=training_metadata(trained, _evaluation_url(settings, context.partition_key)),
            data_version=dg.DataVersion(
                content_fingerprint((version.content_hash, version.model, version.model_digest))
            ),
        )

    @dg.asset(
        key=MODEL_EVALUATION_KEY,
        description="How well retrieval finds the tables of labelled questions about a source.",
        deps=[trained_model, SCHEMA_EMBEDDINGS.key],
        partitions_def=source_databases,
        group_name="training",
        owners=[owner_of(TRAINING)],
        kinds={"python", "qdrant"},
        metadata=stored_in(tables.model_evaluations),
        automation_condition=once_published(on_changed_inputs()),
        pool=OLLAMA_POOL,
        retry_policy=retry_policy(settings),
        check_specs=[
            dg.AssetCheckSpec(
                RECALL_CHECK,
                asset=MODEL_EVALUATION_KEY,
                description=f"Recall@5 of the schema index is at least {settings.recall_bound}.",
            )
        ],
    )
    def model_evaluation(
        context: dg.AssetExecutionContext,
        metadata_store: MetadataStoreResource,
        ollama: OllamaResource,
        qdrant: QdrantResource,
    ) -> dg.MaterializeResult:
        with explained_failures():
            registered = metadata_store.connections.by_partition(context.partition_key)
            from twd_training.evaluation.evaluating import evaluate_connection

            evaluation = evaluate_connection(
                registered,
                metadata_store.database,
                qdrant.client,
                qdrant.schema_index,
                ollama.client,
            )
        metadata = evaluation_metadata(evaluation)
        recall = evaluation.overall(SCHEMA_INDEX).recall_at_5
        return dg.MaterializeResult(
            metadata={"database_name": registered.database_name, **metadata},
            data_version=dg.DataVersion(_version_of(metadata)),
            check_results=[
                dg.AssetCheckResult(
                    check_name=RECALL_CHECK,
                    passed=recall >= settings.recall_bound,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={"recall_at_5": recall, "bound": settings.recall_bound},
                )
            ],
        )

    return [training_examples, trained_model, model_evaluation]


def _evaluation_url(settings: Settings, partition_key: str) -> str:
    path = "/".join(MODEL_EVALUATION_KEY.path)
    return f"{settings.ui_url}/assets/{path}?view=partitions&partition={partition_key}"


def _version_of(metadata: Mapping[str, object]) -> str:
    return content_fingerprint(f"{name}={value}" for name, value in metadata.items())
