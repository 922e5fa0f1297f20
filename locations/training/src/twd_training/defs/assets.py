"""Assets of the group training: examples, knowledge base, evaluation, for each connection."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from twd_shared.asset_checks import check_of_sources
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
from twd_shared.resources.sources import SourceAccessResource
from twd_shared.resources.stores import (
    ApplicationDatabaseResource,
    CatalogResource,
    MetadataStoreResource,
)
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.settings import Settings
from twd_shared.store import tables
from twd_shared.store.open_questions import suggestions
from twd_training.defs.presentation import (
    asset_url,
    evaluation_metadata,
    examples_metadata,
    generated_metadata,
    recall_plot,
    training_metadata,
)
from twd_training.evaluation.store import SCHEMA_INDEX
from twd_training.examples.collecting import collect_examples
from twd_training.examples.store import TrainingSet

if TYPE_CHECKING:
    from twd_training.evaluation.evaluating import Evaluation
    from twd_training.knowledge_base.publishing import Published

TRAINING_EXAMPLES_KEY = dg.AssetKey(["training", "training_examples"])
MODEL_EVALUATION_KEY = dg.AssetKey(["training", "model_evaluation"])
RECALL_CHECK = "retrieval_recall_sufficient"
PROMOTION_CHECK = "model_version_promoted"

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
        catalog: CatalogResource,
        source_access: SourceAccessResource,
    ) -> dg.MaterializeResult:
        with explained_failures():
            # Importing the SQL parser takes a third of a second, which code servers need not.
            from twd_shared.sql.grammar import PostgresGrammar

            registered = metadata_store.connections.by_partition(context.partition_key)
            collected = collect_examples(
                catalog.connection(registered),
                application.database,
                metadata_store.snapshots,
                TrainingSet(metadata_store.database),
                source_access.access(metadata_store.database),
                PostgresGrammar(metadata_store.dsn),
            )
            suggested = suggestions(metadata_store.database, registered.connection_id)
        if collected.unplanned:
            context.log.warning(collected.unplanned)
        return dg.MaterializeResult(
            metadata={
                "database_name": registered.database_name,
                "suggested_questions": len(suggested),
                **examples_metadata(collected, registered.connection_id),
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
        check_specs=[
            check_of_sources(
                PROMOTION_CHECK,
                TRAINED_MODEL.key,
                "What the inputs give now is served, and no version is held back.",
            )
        ],
    )
    def trained_model(
        context: dg.AssetExecutionContext,
        metadata_store: MetadataStoreResource,
        ollama: OllamaResource,
        qdrant: QdrantResource,
    ) -> dg.MaterializeResult:
        with explained_failures():
            # Importing Qdrant's client takes a second, which every start of a run would wait for.
            from twd_training.training import train

            trained = train(
                context.partition_key,
                metadata_store.database,
                qdrant.client,
                ollama.client,
                tolerance=settings.promotion_tolerance,
                least_recall=settings.recall_bound,
                link=asset_url(settings.ui_url, TRAINED_MODEL.key, context.partition_key),
            )
        evaluation_url = asset_url(settings.ui_url, MODEL_EVALUATION_KEY, context.partition_key)
        return dg.MaterializeResult(
            metadata=training_metadata(trained, evaluation_url),
            data_version=dg.DataVersion(version_of_served(trained.published)),
            check_results=[promotion_check(trained.published)],
        )

    @dg.asset(
        key=MODEL_EVALUATION_KEY,
        description=(
            "How well retrieval finds the tables of labelled questions about a source and, where "
            "it is allowed, whether a language model's SQL for them gives the right rows."
        ),
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
            check_of_sources(
                RECALL_CHECK,
                MODEL_EVALUATION_KEY,
                f"Recall@5 of the schema index is at least {settings.recall_bound}.",
            )
        ],
    )
    def model_evaluation(
        context: dg.AssetExecutionContext,
        metadata_store: MetadataStoreResource,
        catalog: CatalogResource,
        source_access: SourceAccessResource,
        ollama: OllamaResource,
        qdrant: QdrantResource,
    ) -> dg.MaterializeResult:
        with explained_failures():
            registered = metadata_store.connections.by_partition(context.partition_key)
            from twd_training.evaluation.evaluating import evaluate_connection
            from twd_training.evaluation.generating import Servers, evaluate_generated

            evaluation = evaluate_connection(
                registered,
                metadata_store.database,
                qdrant.client,
                qdrant.schema_index,
                ollama.client,
            )
            generated = evaluate_generated(
                registered,
                lambda: catalog.connection(registered),
                evaluation.versions,
                Servers(
                    metadata_store.database,
                    qdrant.client,
                    ollama.client,
                    source_access.access(metadata_store.database),
                ),
            )
        if generated.problem:
            context.log.warning(generated.problem)
        metadata = {**evaluation_metadata(evaluation), **generated_metadata(generated, evaluation)}
        return dg.MaterializeResult(
            metadata={
                "database_name": registered.database_name,
                **metadata,
                "sql_asked_now": generated.asked_now,
                "recall_by_version": recall_plot(evaluation),
            },
            data_version=dg.DataVersion(_version_of(metadata)),
            check_results=[_recall_check(evaluation, settings.recall_bound)],
        )

    return [training_examples, trained_model, model_evaluation]


def version_of_served(published: "Published") -> str:
    """The data version of what readers are served, whichever version is held beside it."""
    served = published.version
    if served is None:
        return content_fingerprint(["nothing is served"])
    return content_fingerprint((served.content_hash, served.model, served.model_digest))


def promotion_check(published: "Published") -> dg.AssetCheckResult:
    """Fails while a version is held back, with the reason."""
    held = published.held
    return dg.AssetCheckResult(
        check_name=PROMOTION_CHECK,
        passed=held is None,
        severity=dg.AssetCheckSeverity.ERROR,
        description=held.held_reason if held else "What the inputs give now is served.",
        metadata={"held_version": held.version, "comparison": held.comparison or {}}
        if held
        else {},
    )


def _recall_check(evaluation: "Evaluation", bound: float) -> dg.AssetCheckResult:
    if not evaluation.question_count:
        return dg.AssetCheckResult(
            check_name=RECALL_CHECK,
            passed=True,
            description="No question could be made: the schema shows no table.",
            metadata={"bound": bound},
        )
    of_index = evaluation.overall(SCHEMA_INDEX)
    recall = of_index.recall_at_5 if of_index else 0.0
    return dg.AssetCheckResult(
        check_name=RECALL_CHECK,
        passed=recall >= bound,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"recall_at_5": recall, "bound": bound},
    )


def _version_of(metadata: Mapping[str, object]) -> str:
    return content_fingerprint(f"{name}={value}" for name, value in metadata.items())
