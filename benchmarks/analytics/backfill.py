"""A back-fill of many days, as Dagster runs it: one run for each chunk of the backfill policy."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg
import psycopg2

from twd_analytics.definitions import build_defs
from twd_analytics.defs.assets import DAILY_QUERY_STATS
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.resources.stores import ApplicationDatabaseResource, MetadataStoreResource
from twd_shared.settings import Settings
from twd_shared.sources.access import SourceAccess
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.migrate import upgrade
from twd_shared.store.snapshots import SnapshotStore

FIRST = date(2026, 1, 1)
DAYS = 300
MESSAGES_A_DAY = 10_000
# What is asked of no connection is held against no schema.
_MOST_UNCHECKED = 0.05


@dataclass(frozen=True, slots=True)
class Backfill:
    """Seconds of all runs, how many there were, and days that were measured by them."""

    seconds: float
    runs: int
    days: int


def prepare(metadata: str, sources: Sequence[Connection]) -> None:
    """Register the connections in a new metadata database, and keep their schemas."""
    upgrade(metadata)
    reader = SchemaReader.within(SourceAccess.configured("postgresql", "loopback", "", 60.0))
    with closing(MetadataDatabase(metadata)) as database:
        ConnectionRegistry(database).register(sources)
        for source in sources:
            SnapshotStore(database).save(source.connection_id, reader.read(source))


def measure(metadata: str, application: str) -> Backfill:
    """Measure every day from `FIRST` on by runs of analytics_job, checks included."""
    resources = {
        "metadata_store": MetadataStoreResource(dsn=metadata),
        "application": ApplicationDatabaseResource(dsn=application),
    }
    definitions = build_defs(Settings(run_max_retries=0), resources)
    job = definitions.resolve_job_def("analytics_job")
    policy = definitions.resolve_asset_graph().get(DAILY_QUERY_STATS).backfill_policy
    size = (policy and policy.max_partitions_per_run) or DAYS
    runs = days = 0
    started = time.perf_counter()
    quiet = {"telemetry": {"enabled": False}, "nux": {"enabled": False}}
    with dg.DagsterInstance.local_temp(overrides=quiet) as instance:
        for first, last in _chunks(size):
            result = job.execute_in_process(
                instance=instance,
                tags={
                    "dagster/asset_partition_range_start": first.isoformat(),
                    "dagster/asset_partition_range_end": last.isoformat(),
                },
            )
            runs += 1
            days += len(
                {
                    event.partition
                    for event in result.get_asset_materialization_events()
                    if event.asset_key == DAILY_QUERY_STATS
                }
            )
    seconds = time.perf_counter() - started
    _see_that_names_were_checked(metadata)
    return Backfill(seconds, runs, days)


def _see_that_names_were_checked(metadata: str) -> None:
    """Without it the figure would be of less than a back-fill does."""
    verdicts: Counter[str] = Counter()
    with closing(psycopg2.connect(metadata)) as connection, connection.cursor() as cursor:
        cursor.execute("select verdicts from twd.daily_sql_accuracy where connection_id = '*'")
        for (of_day,) in cursor.fetchall():
            verdicts.update(of_day)
    if not verdicts or verdicts["unchecked"] > _MOST_UNCHECKED * verdicts.total():
        raise RuntimeError(f"too little was held against a schema: {dict(verdicts)}")


def _chunks(size: int) -> Iterator[tuple[date, date]]:
    for begin in range(0, DAYS, size):
        end = min(begin + size, DAYS) - 1
        yield FIRST + timedelta(days=begin), FIRST + timedelta(days=end)
