"""The assets of this location: daily statistics and the accuracy of generated SQL.

Domain modules are imported when an asset runs: polars and sqlglot would slow down the start of
the code server.
"""

import json

import dagster as dg

from twd_analytics.defs.books import sql_book
from twd_analytics.defs.days import EVEN_IF_FEWER_TAG, daily_partitions, days_of
from twd_analytics.defs.external import MESSAGES
from twd_analytics.defs.presentation import (
    HISTORY_DAYS,
    accuracy_metadata,
    connection_labels,
    usage_metadata,
)
from twd_shared.automation import on_changed_days
from twd_shared.contract import ANALYTICS, TRAINED_MODEL, owner_of
from twd_shared.lineage import stored_in
from twd_shared.resources.failures import explained_failures, retry_policy
from twd_shared.resources.stores import ApplicationDatabaseResource, MetadataStoreResource
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.settings import Settings
from twd_shared.store.analytics_tables import daily_query_stats as stats_table
from twd_shared.store.analytics_tables import daily_sql_accuracy as accuracy_table

DAILY_QUERY_STATS = dg.AssetKey([ANALYTICS, "daily_query_stats"])
SQL_ACCURACY_REPORT = dg.AssetKey([ANALYTICS, "sql_accuracy_report"])

# A run that is killed loses a chunk at the most, and a year is still a few runs.
_DAYS_A_RUN = 100


def daily_query_stats(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset of daily statistics."""

    @dg.asset(
        key=DAILY_QUERY_STATS,
        group_name=ANALYTICS,
        owners=[owner_of(ANALYTICS)],
        kinds={"postgresql", "polars"},
        description="What people asked on a day and how it ended, per connection and over all.",
        metadata=stored_in(stats_table),
        partitions_def=daily_partitions(settings),
        backfill_policy=dg.BackfillPolicy.multi_run(_DAYS_A_RUN),
        deps=[MESSAGES],
        retry_policy=retry_policy(settings),
    )
    def asset(
        context: dg.AssetExecutionContext,
        application: ApplicationDatabaseResource,
        metadata_store: MetadataStoreResource,
    ) -> dg.MaterializeResult:
        from twd_analytics.generated_sql.history import schema_changes
        from twd_analytics.messages.reading import MessageLog
        from twd_analytics.usage.measure import measure_usage
        from twd_analytics.usage.store import QueryStatsStore

        written: list[str] = []
        with explained_failures(), sql_book(metadata_store) as book:
            store = QueryStatsStore(
                metadata_store.database, even_if_fewer=EVEN_IF_FEWER_TAG in context.run.tags
            )
            labels = connection_labels(metadata_store.connections.known())
            measured = measure_usage(
                days_of(context.partition_keys),
                MessageLog(application.database, settings.timezone),
                book,
                schema_changes(metadata_store.database),
                store,
                settings.question_characters,
            )
            for one in measured:
                day = one.day.isoformat()
                metadata = usage_metadata(one, labels, store.totals(one.day, HISTORY_DAYS))
                context.add_asset_metadata(metadata, partition_key=day)
                rows = (json.dumps(item.as_row(), sort_keys=True) for item in one.usage)
                written.append(content_fingerprint([day, *rows]))
        # Dagster takes one data version for all partitions that a run of a range writes.
        return dg.MaterializeResult(data_version=dg.DataVersion(content_fingerprint(written)))

    return asset


def sql_accuracy_report(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset of SQL accuracy."""

    @dg.asset(
        key=SQL_ACCURACY_REPORT,
        group_name=ANALYTICS,
        owners=[owner_of(ANALYTICS)],
        kinds={"postgresql", "polars"},
        description="How much generated SQL parsed and ran on a day, and why the rest did not.",
        metadata=stored_in(accuracy_table),
        partitions_def=daily_partitions(settings),
        backfill_policy=dg.BackfillPolicy.multi_run(_DAYS_A_RUN),
        deps=[
            DAILY_QUERY_STATS,
            dg.AssetDep(TRAINED_MODEL.key, partition_mapping=dg.AllPartitionMapping()),
        ],
        retry_policy=retry_policy(settings),
        automation_condition=on_changed_days(
            lineage_only=dg.AssetSelection.assets(TRAINED_MODEL.key)
        ),
    )
    def asset(
        context: dg.AssetExecutionContext,
        application: ApplicationDatabaseResource,
        metadata_store: MetadataStoreResource,
    ) -> dg.MaterializeResult:
        from twd_analytics.accuracy.measure import measure_accuracy
        from twd_analytics.accuracy.store import AccuracyStore
        from twd_analytics.generated_sql.history import model_changes, schema_changes
        from twd_analytics.messages.reading import MessageLog

        written: list[str] = []
        with explained_failures(), sql_book(metadata_store) as book:
            store = AccuracyStore(
                metadata_store.database, even_if_fewer=EVEN_IF_FEWER_TAG in context.run.tags
            )
            labels = connection_labels(metadata_store.connections.known())
            measured = measure_accuracy(
                days_of(context.partition_keys),
                MessageLog(application.database, settings.timezone),
                book,
                schema_changes(metadata_store.database),
                model_changes(metadata_store.database),
                store,
                settings.question_characters,
            )
            for one in measured:
                metadata = accuracy_metadata(one, labels, store.rates(one.day, HISTORY_DAYS))
                context.add_asset_metadata(metadata, partition_key=one.day.isoformat())
                written.append(content_fingerprint([repr(one)]))
        return dg.MaterializeResult(data_version=dg.DataVersion(content_fingerprint(written)))

    return asset
