"""Assets of the group sync: what changed in a source, and the index brought up to it."""

import dagster as dg

from twd_schema.defs.publishing import index_check_spec, published
from twd_schema.drift.affected import STATEMENT_SECONDS, SurroundingsReader
from twd_schema.drift.breaking_changes import BreakingChanges
from twd_schema.drift.comparison import Newest, compared_with_index
from twd_schema.drift.report import markdown_report
from twd_schema.drift.store import DiffStore
from twd_shared.automation import on_changed_inputs
from twd_shared.clients.application import ApplicationDatabase
from twd_shared.contract import (
    OLLAMA_POOL,
    RAW_SCHEMA_METADATA,
    SCHEMA,
    SCHEMA_DOCUMENTATION,
    UPDATED_EMBEDDINGS,
    owner_of,
    source_databases,
)
from twd_shared.lineage import stored_in
from twd_shared.resources.failures import explained_failures, retry_policy
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.resources.stores import (
    ApplicationDatabaseResource,
    CatalogResource,
    MetadataStoreResource,
)
from twd_shared.settings import Settings
from twd_shared.store import tables

SCHEMA_DIFF_KEY = dg.AssetKey(["sync", "schema_diff"])


def sync_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The two assets that a schema sync adds to those of an import."""

    @dg.asset(
        key=SCHEMA_DIFF_KEY,
        description="What differs between a source's newest snapshot and what the index holds.",
        deps=[RAW_SCHEMA_METADATA.key],
        partitions_def=source_databases,
        group_name="sync",
        owners=[owner_of(SCHEMA)],
        kinds={"python", "postgresql"},
        metadata=stored_in(tables.schema_diffs),
        automation_condition=on_changed_inputs(),
        retry_policy=retry_policy(settings),
        op_tags={"dagster/priority": "1"},
    )
    def schema_diff(
        context: dg.AssetExecutionContext,
        metadata_store: MetadataStoreResource,
        catalog: CatalogResource,
        application: ApplicationDatabaseResource,
        qdrant: QdrantResource,
    ) -> dg.MaterializeResult:
        with explained_failures():
            registered = metadata_store.connections.by_partition(context.partition_key)
            connection_id = registered.connection_id
            snapshots, database = metadata_store.snapshots, metadata_store.database
            version, after = snapshots.load_newest(connection_id)
            link = f"{settings.ui_url}/runs/{context.run.run_id}"
            surroundings = SurroundingsReader(
                database,
                lambda: ApplicationDatabase(application.dsn, STATEMENT_SECONDS),
                lambda: qdrant.schema_index,
            )
            diff, impact = compared_with_index(
                connection_id,
                Newest.stored(snapshots, version, after),
                lambda: catalog.connection(registered).extraction,
                snapshots,
                database,
                surroundings,
            )
            BreakingChanges(database).tell(registered, diff, after, impact.consequences, link)
            # Last: what is recorded counts as told, and is not told again.
            DiffStore(database).put(connection_id, diff)
        return dg.MaterializeResult(
            metadata={
                "database_name": registered.database_name,
                "has_changes": diff.has_changes,
                "added_tables": dg.MetadataValue.json(list(diff.tables("table_added"))),
                "removed_tables": dg.MetadataValue.json(list(diff.tables("table_removed"))),
                "modified_tables": dg.MetadataValue.json(list(diff.modified_tables)),
                "breaking_changes": len(diff.breaking),
                "from_version": diff.from_version,
                "to_version": diff.to_version,
                "affected_documents": impact.total.documents,
                "affected_questions": impact.total.question_count,
                "affected_queries": impact.total.queries,
                "changes": dg.MetadataValue.md(markdown_report(diff, impact)),
            },
            # Not the changes: an empty diff after a full one leaves the same schema behind.
            data_version=dg.DataVersion(version.fingerprint),
        )

    @dg.asset(
        key=UPDATED_EMBEDDINGS.key,
        description="The schema index with what changed embedded anew and what is gone deleted.",
        deps=[SCHEMA_DIFF_KEY, SCHEMA_DOCUMENTATION.key],
        partitions_def=source_databases,
        group_name="sync",
        owners=[owner_of(SCHEMA)],
        kinds={"qdrant", "ollama"},
        metadata=stored_in(tables.index_states),
        automation_condition=on_changed_inputs(),
        pool=OLLAMA_POOL,
        retry_policy=retry_policy(settings),
        op_tags={"dagster/priority": "1"},
        check_specs=[index_check_spec(UPDATED_EMBEDDINGS.key)],
    )
    def updated_embeddings(
        context: dg.AssetExecutionContext,
        metadata_store: MetadataStoreResource,
        ollama: OllamaResource,
        qdrant: QdrantResource,
    ) -> dg.MaterializeResult:
        return published(context, metadata_store, ollama, qdrant)

    return [schema_diff, updated_embeddings]
