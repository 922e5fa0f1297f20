"""What Dagster's storage and ours say of a stack's imports, read only.

Times are Unix seconds. Those of events are UTC without a zone; `extract(epoch …)` takes them so.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg2

from benchmarks.ticks import TICKS

IMPORTED = '["schema", "schema_embeddings"]'
TRAINED = '["training", "trained_model"]'

_PROGRESS = """
    select (select count(*) from runs where status in ('STARTING', 'STARTED', 'CANCELING')),
           (select count(*) from runs where status = 'QUEUED'),
           (select count(distinct partition) from event_logs
              where dagster_event_type = 'ASSET_MATERIALIZATION' and asset_key = %(imported)s),
           (select count(distinct partition) from event_logs
              where dagster_event_type = 'ASSET_MATERIALIZATION' and asset_key = %(trained)s),
           (select count(*) from pg_stat_activity where backend_type = 'client backend')
"""
_RUNS = """
    select r.run_id, r.pipeline_name, r.status, coalesce(t.value, ''),
           extract(epoch from min(e.timestamp)
             filter (where e.dagster_event_type = 'PIPELINE_STARTING'))::float8,
           extract(epoch from max(e.timestamp)
             filter (where e.dagster_event_type <> 'PIPELINE_STARTING'))::float8
    from runs r
    left join run_tags t on t.run_id = r.run_id and t.key = 'dagster/partition'
    left join event_logs e on e.run_id = r.run_id
      and e.dagster_event_type in
        ('PIPELINE_STARTING', 'PIPELINE_SUCCESS', 'PIPELINE_FAILURE', 'PIPELINE_CANCELED')
    group by 1, 2, 3, 4
"""
_WRITTEN = """
    select run_id, asset_key, partition, extract(epoch from timestamp)::float8
    from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION' and partition is not null
      and run_id not in (select run_id from run_tags where key = 'dagster/schedule_name')
    order by id
"""
_TICKS = f"""
    select name, status, (body ->> 'timestamp')::float8, (body ->> 'end_timestamp')::float8,
           coalesce(body #>> '{{error,message}}', '')
    from {TICKS} order by id
"""
_SEEN = "select partition_key, extract(epoch from first_seen_at)::float8 from twd.connections"
_POINTS = """
    select connection_id, partition_key, coalesce(point_count, 0)
    from twd.connections left join twd.index_states using (connection_id)
"""
_SIZES = """
    select (select count(*) from bulk_actions), (select count(*) from event_logs),
           pg_total_relation_size('event_logs'), pg_database_size(current_database()),
           current_setting('max_connections')::int
"""


class Progress(NamedTuple):
    """Counts at one moment; `connections` are sessions of the whole server."""

    in_progress: int
    queued: int
    imported: int
    trained: int
    connections: int


class Run(NamedTuple):
    """A run; `begun` is when it took its place among those at once, `ended` None while it has."""

    run_id: str
    job: str
    status: str
    partition: str
    begun: float | None
    ended: float | None


class Written(NamedTuple):
    """One materialization of one partition; `asset` is the key as Dagster stores it."""

    run_id: str
    asset: str
    partition: str
    at: float


class Tick(NamedTuple):
    """A tick of a sensor or schedule; `ended` is None while it goes on."""

    sensor: str
    status: str
    begun: float
    ended: float | None
    error: str


class Points(NamedTuple):
    """How many points the last publication of a connection's index counted; 0 = none was."""

    connection_id: str
    partition: str
    points: int


class Sizes(NamedTuple):
    """Of the storage: back-fills, events, bytes of these and of all, and the server's limit."""

    backfills: int
    events: int
    event_bytes: int
    all_bytes: int
    most_connections: int


class Storage:
    """One read-only session on the metadata database."""

    def __init__(self, dsn: str) -> None:
        """Connect to `dsn`."""
        self._connection = psycopg2.connect(dsn)
        self._connection.set_session(readonly=True, autocommit=True)

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def progress(self) -> Progress:
        """How far the stack is."""
        [row] = self._rows(_PROGRESS, {"imported": IMPORTED, "trained": TRAINED})
        return Progress(*row)

    def runs(self) -> list[Run]:
        """All runs."""
        return [Run(*row) for row in self._rows(_RUNS)]

    def written(self) -> list[Written]:
        """All materializations of partitions, oldest first.

        But not of scheduled runs: a schedule that comes due meanwhile reads everything again.
        """
        return [Written(*row) for row in self._rows(_WRITTEN)]

    def ticks(self) -> list[Tick]:
        """All ticks, oldest first."""
        return [Tick(*row) for row in self._rows(_TICKS)]

    def first_seen(self) -> dict[str, float]:
        """Partition → when its connection was first listed."""
        return dict(self._rows(_SEEN))

    def points(self) -> list[Points]:
        """What the stack believes to be in the schema index."""
        return [Points(*row) for row in self._rows(_POINTS)]

    def sizes(self) -> Sizes:
        """How much there is of what grows."""
        [row] = self._rows(_SIZES)
        return Sizes(*row)

    def _rows(self, query: str, values: dict[str, str] | None = None) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()
