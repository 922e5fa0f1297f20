"""Jobs of the schema location: import, sync, and a check of every connection as an op graph."""

from collections.abc import Iterator

import dagster as dg

from twd_schema.defs.resources import SourceDatabaseResource
from twd_schema.defs.sync_assets import SCHEMA_DIFF_KEY
from twd_shared.alerting import failure_alert_hook, success_log_hook
from twd_shared.contract import (
    RAW_SCHEMA_METADATA,
    SCHEMA_DOCUMENTATION,
    SCHEMA_EMBEDDINGS,
    UPDATED_EMBEDDINGS,
)
from twd_shared.errors import CatalogUnavailable, MetadataFailure, SourceBusy, TwdError
from twd_shared.resources.failures import explained_failures, retry_policy
from twd_shared.resources.stores import CatalogResource, MetadataStoreResource
from twd_shared.settings import Settings

# An import and a sync write the same assets: whichever ran, none of the source's assets is stale.
ALL_OF_A_SOURCE = (
    RAW_SCHEMA_METADATA.key,
    SCHEMA_DOCUMENTATION.key,
    SCHEMA_EMBEDDINGS.key,
    SCHEMA_DIFF_KEY,
    UPDATED_EMBEDDINGS.key,
)


def schema_jobs(settings: Settings) -> dict[str, "dg.UnresolvedAssetJobDefinition"]:
    """The two asset jobs by name."""
    return {
        name: dg.define_asset_job(
            name,
            selection=dg.AssetSelection.assets(*ALL_OF_A_SOURCE),
            hooks={success_log_hook(), failure_alert_hook(settings.ui_url)},
            description=description,
        )
        for name, description in (
            ("schema_import_job", "Reads a newly connected source and makes it searchable."),
            ("schema_sync_job", "Reads a source again and updates what changed."),
        )
    }


def check_connections_job(settings: Settings) -> dg.JobDefinition:
    """A job that reads every active connection once and records which of them fail."""

    @dg.op(out=dg.DynamicOut(str), retry_policy=retry_policy(settings))
    def list_active_connections(
        metadata_store: MetadataStoreResource,
    ) -> Iterator[dg.DynamicOutput[str]]:
        with explained_failures():
            known = metadata_store.connections.known()
        for number, item in enumerate(item for item in known if item.is_active):
            yield dg.DynamicOutput(item.partition_key, mapping_key=str(number))

    @dg.op(retry_policy=retry_policy(settings))
    def check_connection(
        context: dg.OpExecutionContext,
        partition_key: str,
        metadata_store: MetadataStoreResource,
        catalog: CatalogResource,
        source_database: SourceDatabaseResource,
    ) -> str:
        registry = metadata_store.connections
        with explained_failures():
            registered = registry.by_partition(partition_key)
            try:
                reader = source_database.reader(metadata_store.database)
                reader.read(catalog.connection(registered))
            except SourceBusy as error:
                context.log.warning(str(error))
                return f"{partition_key}: not read, it has to wait"
            except (MetadataFailure, CatalogUnavailable):
                # They say nothing of the source.
                raise
            except TwdError as error:
                registry.set_status(registered.connection_id, "failing", str(error))
                context.log.warning(str(error))
                return f"{partition_key}: failing"
            registry.set_status(registered.connection_id, "ok")
        return f"{partition_key}: ok"

    @dg.op
    def report_connections(context: dg.OpExecutionContext, results: list[str]) -> None:
        context.add_output_metadata({"connections": dg.MetadataValue.json(sorted(results))})

    @dg.job(
        name="check_connections_job",
        description="Reads every active connection once and records which of them fail.",
        hooks={success_log_hook(), failure_alert_hook(settings.ui_url)},
    )
    def job() -> None:
        report_connections(list_active_connections().map(check_connection).collect())

    return job
