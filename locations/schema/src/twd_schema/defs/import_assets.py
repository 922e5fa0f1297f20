"""Assets of the group schema: what is known of a source database, from its first import on."""

from functools import partial

import dagster as dg

from twd_schema.defs.documentation_metadata import documentation_metadata
from twd_schema.defs.publishing import index_check_spec, published
from twd_schema.defs.resources import SourceDatabaseResource
from twd_schema.defs.snapshot_metadata import SNAPSHOT_CHECKS, snapshot_checks, snapshot_metadata
from twd_schema.documentation.describing import LanguageModel
from twd_schema.documentation.documenting import document_connection
from twd_schema.drift.diff import changes_since
from twd_schema.drift.marks import read_mark
from twd_schema.history.recording import DropPolicy, SnapshotRecorder
from twd_schema.history.replay import ddl_problems
from twd_schema.history.retention import forget_old_versions
from twd_shared.automation import on_changed_inputs
from twd_shared.clients.token_budget import WRITING_CONTEXT_TOKENS
from twd_shared.contract import (
    OLLAMA_POOL,
    RAW_SCHEMA_METADATA,
    SCHEMA,
    SCHEMA_DOCUMENTATION,
    SCHEMA_EMBEDDINGS,
    VERIFY_TAG,
    owner_of,
    source_databases,
)
from twd_shared.lineage import stored_in
from twd_shared.resources.failures import explained_failures, retry_policy
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.resources.stores import CatalogResource, MetadataStoreResource
from twd_shared.settings import Settings
from twd_shared.store import tables
from twd_shared.store.descriptions import DescriptionStore
from twd_shared.store.source_checks import SourceCheckStore

SOURCE_DATABASE = dg.AssetSpec(
    ["source", "database"],
    description="A source database that a user connected. It is only ever read.",
    group_name="schema",
    owners=[owner_of(SCHEMA)],
    kinds={"postgresql", "mysql"},
)


def import_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The three assets that a schema import materializes."""

    @dg.asset(
        key=RAW_SCHEMA_METADATA.key,
        description="The newest snapshot of a source's schema, saved as a version if it changed.",
        deps=[SOURCE_DATABASE],
        partitions_def=source_databases,
        group_name="schema",
        owners=[owner_of(SCHEMA)],
        kinds={"python", "postgresql"},
        metadata=stored_in(tables.snapshots),
        retry_policy=retry_policy(settings),
        check_specs=SNAPSHOT_CHECKS,
    )
    def raw_schema_metadata(
        context: dg.AssetExecutionContext,
        metadata_store: MetadataStoreResource,
        catalog: CatalogResource,
        source_database: SourceDatabaseResource,
    ) -> dg.MaterializeResult:
        with explained_failures():
            registered = metadata_store.connections.by_partition(context.partition_key)
            snapshots = metadata_store.snapshots
            connection = catalog.connection(registered)
            reader = source_database.reader(metadata_store.database)
            # Before the reading: what changes meanwhile must change the mark.
            mark = read_mark(reader, connection, metadata_store.dsn)
            recording = SnapshotRecorder(
                reader,
                snapshots,
                metadata_store.connections,
                DropPolicy(settings.drop_share, settings.confirm_seconds),
            ).record(connection)
            SourceCheckStore(metadata_store.database).confirm(
                registered.connection_id, mark, recording.saved.version.fingerprint
            )
            forget_old_versions(snapshots, registered.connection_id, settings.snapshot_days)
            problems = ddl_problems(recording, metadata_store.dsn, source_database.scratch_dsn)
            changes = changes_since(snapshots, recording.snapshot, recording.saved)
        return dg.MaterializeResult(
            metadata=snapshot_metadata(recording, changes),
            check_results=snapshot_checks(recording, problems),
            data_version=dg.DataVersion(recording.saved.version.fingerprint),
        )

    @dg.asset(
        key=SCHEMA_DOCUMENTATION.key,
        description="What each table of a source is about, in sentences, and who described it.",
        deps=[RAW_SCHEMA_METADATA.key],
        partitions_def=source_databases,
        group_name="schema",
        owners=[owner_of(SCHEMA)],
        kinds={"python", "postgresql"},
        metadata=stored_in(tables.table_documentation),
        automation_condition=on_changed_inputs(),
        pool=OLLAMA_POOL,
        retry_policy=retry_policy(settings),
        # A sync writes in this order: documentation, then what changed, then the whole index.
        op_tags={"dagster/priority": "2"},
    )
    def schema_documentation(
        context: dg.AssetExecutionContext,
        metadata_store: MetadataStoreResource,
        ollama: OllamaResource,
    ) -> dg.MaterializeResult:
        with explained_failures():
            registered = metadata_store.connections.by_partition(context.partition_key)
            documented = document_connection(
                registered.connection_id,
                metadata_store.snapshots,
                metadata_store.documentation,
                DescriptionStore(metadata_store.database),
                _language_model(ollama),
                verify=VERIFY_TAG in context.run.tags,
            )
        if documented.problem:
            context.log.warning(documented.problem)
        return dg.MaterializeResult(
            metadata=documentation_metadata(documented, registered.database_name),
            data_version=dg.DataVersion(documented.content_hash),
        )

    @dg.asset(
        key=SCHEMA_EMBEDDINGS.key,
        description="The whole schema index of a source, reconciled with its newest snapshot.",
        deps=[RAW_SCHEMA_METADATA.key, SCHEMA_DOCUMENTATION.key],
        partitions_def=source_databases,
        group_name="schema",
        owners=[owner_of(SCHEMA)],
        kinds={"qdrant", "ollama"},
        metadata=stored_in(tables.index_states),
        automation_condition=on_changed_inputs(),
        pool=OLLAMA_POOL,
        retry_policy=retry_policy(settings),
        check_specs=[index_check_spec(SCHEMA_EMBEDDINGS.key)],
    )
    def schema_embeddings(
        context: dg.AssetExecutionContext,
        metadata_store: MetadataStoreResource,
        ollama: OllamaResource,
        qdrant: QdrantResource,
    ) -> dg.MaterializeResult:
        return published(context, metadata_store, ollama, qdrant)

    return [raw_schema_metadata, schema_documentation, schema_embeddings]


def _language_model(ollama: OllamaResource) -> LanguageModel | None:
    if not ollama.model:
        return None
    return LanguageModel(
        ollama.model, partial(ollama.client.generate, context_tokens=WRITING_CONTEXT_TOKENS)
    )
