"""What is asked of Dagster's own tables: queue, runs, ticks, daemons, pools, assets, embedding.

Each statement is bounded by an index or by a small table. Times have no zone there: those of events
are UTC, all others in the zone of the server.
"""

from __future__ import annotations

from twd_shared.metrics.model import Metric, Query

_RUN = ("location", "job", "status")
_TICK = ("location", "kind", "name")

_QUEUE = Query(
    "queue",
    "dagster",
    """
    select count(*) filter (where status = 'QUEUED') as queued,
           count(*) filter (where status in ('STARTING', 'STARTED', 'CANCELING')) as in_progress,
           coalesce(extract(epoch from localtimestamp - min(create_timestamp)
             filter (where status = 'QUEUED')), 0) as oldest
    from runs where status in ('QUEUED', 'STARTING', 'STARTED', 'CANCELING')
    """,
    {
        "queued": Metric("dagster_runs_queued", "Runs that wait in the queue now"),
        "in_progress": Metric("dagster_runs_in_progress", "Runs that start, run or end now"),
        "oldest": Metric(
            "dagster_queue_oldest_seconds", "How long the oldest queued run has waited; 0 = none"
        ),
    },
)

_ACTIVE = Query(
    "active_runs",
    "dagster",
    """
    select split_part(coalesce(t.value, ''), '@', 2) as location, pipeline_name as job, status,
           count(*) as runs
    from runs r
    left join run_tags t on t.run_id = r.run_id and t.key = '.dagster/repository'
    where status in ('QUEUED', 'NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING')
    group by 1, 2, 3
    """,
    {"runs": Metric("dagster_runs", "Runs that have not ended, now", _RUN)},
)

_ENDED = Query(
    "ended_runs",
    "dagster",
    """
    select location, job, status, count(*) as runs
    from twd.runs_since(now() - interval '1 day')
    where status in ('SUCCESS', 'FAILURE', 'CANCELED') group by 1, 2, 3
    """,
    {"runs": Metric("dagster_runs_ended_last_day", "Runs that ended in the last 24 hours", _RUN)},
)

_DURATIONS = Query(
    "run_durations",
    "dagster",
    """
    select location, job, quantile::text,
           percentile_disc(quantile) within group (order by seconds) as seconds,
           percentile_disc(quantile) within group (order by queued_seconds) as queued_seconds
    from twd.runs_since(now() - interval '1 day'), unnest('{0.5,0.95,1}'::float8[]) quantile
    where status = 'SUCCESS' group by location, job, quantile
    """,
    {
        "seconds": Metric(
            "dagster_run_duration_seconds",
            "How long runs took that succeeded in the last 24 hours, by quantile",
            ("location", "job", "quantile"),
        ),
        "queued_seconds": Metric(
            "dagster_run_wait_seconds",
            "How long these runs waited before they started, by quantile",
            ("location", "job", "quantile"),
        ),
    },
)

# One that was renamed or removed stays in the table: after a week without a tick it is not told.
_INSTIGATORS = """
    select i.selector_id, lower(i.instigator_type) as kind, i.create_timestamp,
           b.body #>> '{origin,external_repository_origin,repository_location_origin,location_name}'
             as location,
           b.body #>> '{origin,job_name}' as name,
           (b.body #>> '{job_specific_data,min_interval}')::float8 as interval_seconds
    from instigators i cross join lateral (select i.instigator_body::jsonb as body) b
    where i.status <> 'STOPPED'
"""

_LAST_TICKS = Query(
    "last_ticks",
    "dagster",
    f"""
    select location, kind, name, interval_seconds,
           extract(epoch from localtimestamp
             - coalesce(good.timestamp, i.create_timestamp)) as age
    from ({_INSTIGATORS}) i
    cross join lateral (
      select timestamp from job_ticks t where t.selector_id = i.selector_id
      order by timestamp desc limit 1
    ) newest
    left join lateral (
      select timestamp from job_ticks t
      where t.selector_id = i.selector_id and t.status in ('SUCCESS', 'SKIPPED')
      order by timestamp desc limit 1
    ) good on true
    where newest.timestamp > localtimestamp - interval '7 days'
    """,  # noqa: S608 - put together from constants
    {
        "age": Metric(
            "dagster_last_good_tick_age_seconds",
            "Seconds since the last tick that did not fail, whether or not it asked for runs; "
            "if there was none, since it was first seen",
            _TICK,
        ),
        "interval_seconds": Metric(
            "dagster_tick_interval_seconds", "Least seconds between two ticks of a sensor", _TICK
        ),
    },
)

_TICKS = Query(
    "ticks",
    "dagster",
    f"""
    select location, kind, name, lower(t.status) as status, count(*) as ticks
    from ({_INSTIGATORS}) i
    join job_ticks t on t.selector_id = i.selector_id
      and t.timestamp > localtimestamp - interval '1 hour'
    group by 1, 2, 3, 4
    """,  # noqa: S608 - put together from constants
    {
        "ticks": Metric(
            "dagster_ticks_last_hour", "Ticks of the last 60 minutes", (*_TICK, "status")
        )
    },
)

# A kind that an upgrade of Dagster drops stays in the table. All are told where all are dead.
_DAEMONS = Query(
    "daemons",
    "dagster",
    """
    select lower(daemon_type) as daemon,
           extract(epoch from localtimestamp - timestamp) as age
    from daemon_heartbeats
    where timestamp > (select max(timestamp) from daemon_heartbeats) - interval '7 days'
    """,
    {
        "age": Metric(
            "dagster_daemon_heartbeat_age_seconds", "Seconds since a daemon was alive", ("daemon",)
        )
    },
)

_POOLS = Query(
    "pools",
    "dagster",
    """
    select l.concurrency_key as pool, l."limit" as slots,
           (select count(*) from concurrency_slots s where s.concurrency_key = l.concurrency_key
              and s.run_id is not null and not s.deleted) as used,
           (select count(*) from pending_steps p where p.concurrency_key = l.concurrency_key
              and p.assigned_timestamp is null) as waiting
    from concurrency_limits l
    """,
    {
        "slots": Metric("dagster_pool_slots", "Slots of a pool", ("pool",)),
        "used": Metric("dagster_pool_slots_used", "Slots of a pool that a step holds", ("pool",)),
        "waiting": Metric("dagster_pool_steps_waiting", "Steps that wait for a slot", ("pool",)),
    },
)

# Not asset_keys.last_materialization_timestamp: a run that only plans to make it sets that too.
_ASSETS = Query(
    "assets",
    "dagster",
    """
    select array_to_string(array(select jsonb_array_elements_text(k.asset_key::jsonb)), '/')
             as asset,
           extract(epoch from (now() at time zone 'utc') - max(newest.timestamp)) as age
    from asset_keys k
    cross join unnest(array['ASSET_MATERIALIZATION', 'ASSET_OBSERVATION']) kind
    cross join lateral (
      select timestamp from event_logs
      where asset_key = k.asset_key and dagster_event_type = kind
      order by id desc limit 1
    ) newest
    group by k.asset_key
    """,
    {
        "age": Metric(
            "dagster_asset_age_seconds",
            "Seconds since any partition of an asset was materialized or observed",
            ("asset",),
        )
    },
)

# The newest 500 of each are looked at, so that a busy hour costs no more: their texts are few KB.
_EMBEDDING = Query(
    "embedding",
    "dagster",
    """
    select path as asset, coalesce(sum(texts), 0) as texts, coalesce(sum(seconds), 0) as seconds,
           count(e) as publications
    from (values ('schema/schema_embeddings', 'points_embedded_now'),
                 ('sync/updated_embeddings', 'points_embedded_now'),
                 ('training/trained_model', 'embedded_now')) as assets(path, label)
    left join lateral (
      select jsonb_path_query_first(
               entries, '$[*] ? (@.label == $label).entry_data.value',
               jsonb_build_object('label', label))::float8 as texts,
             jsonb_path_query_first(
               entries, '$[*] ? (@.label == "embedding_seconds").entry_data.value')::float8
               as seconds
      from (
        select twd.event_body(event)
                 #> '{dagster_event,event_specific_data,materialization,metadata_entries}'
                 as entries
        from (
          select event, timestamp from event_logs
          where asset_key = '["' || replace(path, '/', '", "') || '"]'
            and dagster_event_type = 'ASSET_MATERIALIZATION'
          order by id desc limit 500
        ) newest
        where timestamp > (now() at time zone 'utc') - interval '1 hour'
      ) materializations
    ) e on true
    group by path
    """,
    {
        "texts": Metric(
            "twd_embedded_texts_last_hour",
            "Texts that were embedded in the last 60 minutes, by the asset that did it",
            ("asset",),
        ),
        "seconds": Metric(
            "twd_embedding_seconds_last_hour",
            "Seconds that this took, with the writing of the points",
            ("asset",),
        ),
        "publications": Metric(
            "twd_publications_last_hour",
            "Publications of the schema index or of a knowledge base in the last 60 minutes",
            ("asset",),
        ),
    },
)

_POINTS = Query(
    "index_points",
    "dagster",
    """
    select partition_key as database, split_part(points, ' / ', 1)::float8 as expected,
           split_part(points, ' / ', 2)::float8 as present
    from twd.connections c
    cross join lateral (
      select event from event_logs
      where asset_key = '["schema", "schema_embeddings"]'
        and dagster_event_type = 'ASSET_MATERIALIZATION' and partition = c.partition_key
      order by id desc limit 1
    ) newest
    cross join lateral (
      select jsonb_path_query_first(
        twd.event_body(event)
          #> '{dagster_event,event_specific_data,materialization,metadata_entries}',
        '$[*] ? (@.label == "points").entry_data.text') #>> '{}' as points
    ) p
    where c.is_active and points ~ '^[0-9]+ / [0-9]+$'
    """,
    {
        "expected": Metric(
            "twd_index_points_expected",
            "Points that a database's snapshot needs, as the last publication counted",
            ("database",),
        ),
        "present": Metric(
            "twd_index_points_present",
            "Points that the schema index held of it after that publication",
            ("database",),
        ),
    },
)

QUERIES = (
    _QUEUE,
    _ACTIVE,
    _ENDED,
    _DURATIONS,
    _LAST_TICKS,
    _TICKS,
    _DAEMONS,
    _POOLS,
    _ASSETS,
    _EMBEDDING,
    _POINTS,
)
