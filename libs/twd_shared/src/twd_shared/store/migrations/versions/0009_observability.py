"""How fresh each connection is, and statistics of runs, steps, assets and ticks

What is told of Dagster's own tables stands in functions whose bodies are texts, and in views on
those functions. So PostgreSQL knows no dependency: `dagster instance migrate` may change a column,
and this runs before Dagster's tables are there. They are found by the search path, as Dagster's.

Dagster's times have no zone: those of events are UTC, all others in the zone of the server, which
is that of a session unless the session chose another.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OBJECTIVE = """
create function twd.freshness_objective_seconds() returns integer language sql stable as $body$
  select coalesce(nullif(current_setting('twd.freshness_seconds', true), ''), '900')::integer
$body$
"""

# A check says what was true when the source was asked. A sync that ended since then has read the
# same or a newer schema: what the check says is over.
_CONNECTION_FRESHNESS = """
create view twd.connection_freshness as
with failures as (
  select distinct on (1) case when subject like '{%' then subject::jsonb ->> 'partition' end
           as partition_key,
         title || ': ' || left(split_part(body, chr(10), 1), 300) as sentence
  from twd.alerts
  where recovered_at is null and subject <> '' and raised_at > now() - interval '30 days'
  order by 1, sequence desc
), facts as (
  select c.connection_id, c.partition_key, c.first_seen_at, c.status, c.status_reason,
         n.version as snapshot_version, n.taken_at, n.confirmed_at,
         i.snapshot_version as index_snapshot_version, i.is_complete as index_complete,
         i.point_count as index_points, i.published_at as indexed_at,
         k.ended_at as index_outdated_at,
         m.version as knowledge_base_version,
         m.snapshot_version as knowledge_base_snapshot_version, m.published_at as served_at,
         o.ended_at as knowledge_base_outdated_at,
         h.held_reason, f.sentence as failure,
         s.cause as check_cause, s.since as check_since, s.fresh_at,
         greatest(s.asked_at, n.confirmed_at) as asked_at,
         case
           when s.freshness in ('drifted', 'given_up') and s.fingerprint = n.fingerprint
             and i.is_complete and i.snapshot_version = n.version then 'fresh'
           when s.freshness = 'unreadable' and n.confirmed_at > s.asked_at then 'fresh'
           else coalesce(s.freshness, 'fresh')
         end as answer
  from twd.connections c
  left join twd.source_checks s using (connection_id)
  left join twd.snapshots n on n.connection_id = c.connection_id and n.ended_at is null
  left join twd.index_states i on i.connection_id = c.connection_id
  left join twd.snapshots k
    on k.connection_id = c.connection_id and k.version = i.snapshot_version
  left join twd.model_versions m on m.connection_id = c.connection_id and m.is_live
  left join twd.snapshots o
    on o.connection_id = c.connection_id and o.version = m.snapshot_version
  left join lateral (
    select v.held_reason from twd.model_versions v
    where v.connection_id = c.connection_id and not v.is_live and v.held_reason <> ''
      and v.collections <> '{}' and v.snapshot_version >= n.version
    order by v.version desc limit 1
  ) h on true
  left join failures f using (partition_key)
  where c.is_active
), judged as (
  select *,
    case
      when answer in ('unreadable', 'given_up') then answer
      when snapshot_version is null and status = 'failing' then 'unreadable'
      when snapshot_version is null or index_snapshot_version is null then 'not_imported'
      when answer = 'drifted' or not index_complete
        or index_snapshot_version < snapshot_version then 'drifted'
      when knowledge_base_snapshot_version >= snapshot_version then
        case
          when asked_at < now() - make_interval(secs => twd.freshness_objective_seconds())
            then 'unchecked'
          else 'fresh'
        end
      when held_reason is not null then 'held'
      when knowledge_base_version is null then 'not_trained'
      else 'behind'
    end as freshness
  from facts
), told as (
  select *,
    case freshness
      when 'fresh' then ''
      when 'unreadable' then coalesce(
        nullif(case answer when 'unreadable' then check_cause end, ''),
        nullif(status_reason, ''), 'It could not be read.')
      when 'held' then held_reason
      when 'unchecked' then 'It was last asked at '
        || to_char(asked_at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS')
        || ' UTC: schema_change_sensor does not reach it.'
      else coalesce(failure, case freshness
        when 'given_up' then check_cause
        when 'not_imported' then
          coalesce(nullif(status_reason, ''), 'Its first import has not ended.')
        when 'not_trained' then 'No knowledge base of it is served yet.'
        when 'behind' then format(
          'Its knowledge base stands on version %s of its schema, and version %s was read.',
          knowledge_base_snapshot_version, snapshot_version)
        else case
          when answer = 'drifted' then check_cause
          when not index_complete
            then 'A run is writing its index, or the last one that did has failed.'
          else format('Its index holds version %s of its schema, and version %s was read.',
            index_snapshot_version, snapshot_version)
        end
      end)
    end as cause,
    case freshness
      when 'fresh' then greatest(indexed_at, served_at)
      when 'not_imported' then first_seen_at
      when 'unchecked' then asked_at
      -- What is missing longest: nulls are what is not missing.
      else coalesce(least(
        case when answer <> 'fresh' then coalesce(fresh_at, check_since) end,
        case when index_snapshot_version < snapshot_version then index_outdated_at end,
        case when not index_complete then taken_at end,
        case when knowledge_base_snapshot_version < snapshot_version
          then coalesce(knowledge_base_outdated_at, taken_at) end,
        case when knowledge_base_version is null then indexed_at end
      ), taken_at, first_seen_at)
    end as since
  from judged
)
select connection_id, partition_key, freshness as status, cause, since,
       case freshness when 'fresh' then asked_at else since end as known_fresh_at,
       freshness = 'fresh'
         or since >= now() - make_interval(secs => twd.freshness_objective_seconds())
         as objective_met,
       snapshot_version, index_snapshot_version, index_points,
       coalesce(index_complete, false) as index_complete, knowledge_base_version,
       knowledge_base_snapshot_version, held_reason is not null as is_held
from told
"""

# PostgreSQL's jsonb has no place for the character 0, which a driver's message may hold.
_EVENT_BODY = r"""
create function twd.event_body(event text) returns jsonb language sql immutable as $body$
  select (case when position('\u0000' in event) > 0
    then regexp_replace(event, '(?<!\\)((?:\\\\)*)\\u0000', '\1', 'g') else event end)::jsonb
$body$
"""

_RUNS_SINCE = """
create function twd.runs_since(since timestamptz)
returns table (run_id text, location text, job text, partition_key text, connection_id text,
  requested_by text, status text, created_at timestamptz, started_at timestamptz,
  ended_at timestamptz, queued_seconds double precision, seconds double precision)
language sql stable as $body$
  select r.run_id::text, split_part(t.repository, '@', 2), r.pipeline_name, t.partition_key,
         t.connection_id, t.requested_by, r.status::text,
         r.create_timestamp::timestamptz, to_timestamp(r.start_time),
         to_timestamp(r.end_time),
         r.start_time - extract(epoch from r.create_timestamp::timestamptz)::double precision,
         r.end_time - r.start_time
  from runs r
  cross join lateral (
    select max(value) filter (where key = '.dagster/repository') as repository,
           max(value) filter (where key = 'dagster/partition') as partition_key,
           max(value) filter (where key = 'twd/connection_id') as connection_id,
           coalesce(max(value) filter (where key = 'dagster/sensor_name'),
                    max(value) filter (where key = 'dagster/schedule_name'), '') as requested_by
    from run_tags where run_tags.run_id = r.run_id
  ) t
  -- Every status: so the index on status and time of the last update serves.
  where r.status in ('QUEUED', 'NOT_STARTED', 'MANAGED', 'STARTING', 'STARTED', 'SUCCESS',
                     'FAILURE', 'CANCELING', 'CANCELED')
    and r.update_timestamp >= since::timestamp
$body$
"""

_STATISTICS_SINCE = """
create function twd.run_statistics_since(since timestamptz)
returns table (day date, location text, job text, status text, runs bigint,
  average_seconds double precision, p50_seconds double precision, p95_seconds double precision,
  longest_seconds double precision, average_queued_seconds double precision)
language sql stable as $body$
  select (coalesce(ended_at, created_at) at time zone 'utc')::date, location, job, status,
         count(*), avg(seconds), percentile_cont(0.5) within group (order by seconds),
         percentile_cont(0.95) within group (order by seconds), max(seconds), avg(queued_seconds)
  from twd.runs_since(since) group by 1, 2, 3, 4
$body$
"""

_FAILED_SINCE = """
create function twd.failed_runs_since(since timestamptz)
returns table (ended_at timestamptz, location text, job text, partition_key text,
  connection_id text, run_id text, step text, reason text)
language sql stable as $body$
  select r.ended_at, r.location, r.job, r.partition_key, r.connection_id, r.run_id, e.step_key,
         trim(both E' \\n' from coalesce(
           regexp_replace(f.error ->> 'message',
             '^([[:alnum:]_.<>]+[.])?' || (f.error ->> 'cls_name') || ': ', ''),
           e.body #>> '{dagster_event,message}'))
  from twd.runs_since(since) r
  left join lateral (
    select step_key, twd.event_body(event) as body
    from event_logs where event_logs.run_id = r.run_id
      and dagster_event_type in ('STEP_FAILURE', 'PIPELINE_FAILURE')
    order by dagster_event_type desc, id limit 1
  ) e on true
  -- What a step raised is the cause of an error that Dagster puts around it.
  cross join lateral (
    select case
      when o.error ->> 'cls_name' = 'DagsterExecutionStepExecutionError'
        and jsonb_typeof(o.error -> 'cause') = 'object' then o.error -> 'cause'
      else o.error
    end as error
    from (select e.body #> '{dagster_event,event_specific_data,error}' as error) o
  ) f
  where r.status = 'FAILURE'
$body$
"""

_STEPS_SINCE = """
create function twd.step_statistics_since(since timestamptz)
returns table (location text, job text, step text, runs bigint,
  average_seconds double precision, p95_seconds double precision,
  longest_seconds double precision, total_seconds double precision)
language sql stable as $body$
  select location, job, step_key, count(*), avg(seconds),
         percentile_cont(0.95) within group (order by seconds), max(seconds), sum(seconds)
  from (
    select r.location, r.job, l.step_key, (twd.event_body(l.event)
             #>> '{dagster_event,event_specific_data,duration_ms}')::double precision / 1000
             as seconds
    from twd.runs_since(since) r
    join event_logs l on l.run_id = r.run_id and l.dagster_event_type = 'STEP_SUCCESS'
  ) steps group by 1, 2, 3
$body$
"""

_ASSETS_SINCE = """
create function twd.asset_runs_since(since timestamptz)
returns table (materialized_at timestamptz, asset text, partition_key text, location text,
  job text, run_id text, seconds double precision, numbers jsonb)
language sql stable as $body$
  select l.timestamp at time zone 'utc',
         array_to_string(array(select jsonb_array_elements_text(l.asset_key::jsonb)), '/'),
         l.partition, r.location, r.job, r.run_id, s.seconds, n.numbers
  from twd.runs_since(since) r
  join event_logs l on l.run_id = r.run_id and l.dagster_event_type = 'ASSET_MATERIALIZATION'
  left join lateral (
    select (twd.event_body(e.event)
              #>> '{dagster_event,event_specific_data,duration_ms}')::double precision / 1000
              as seconds
    from event_logs e where e.run_id = r.run_id and e.dagster_event_type = 'STEP_SUCCESS'
      and e.step_key = l.step_key limit 1
  ) s on true
  cross join lateral (
    select coalesce(jsonb_object_agg(m ->> 'label', m #> '{entry_data,value}')
             filter (where jsonb_typeof(m #> '{entry_data,value}') = 'number'), '{}') as numbers
    from jsonb_array_elements(twd.event_body(l.event)
      #> '{dagster_event,event_specific_data,materialization,metadata_entries}') m
  ) n
$body$
"""

_TICKS_SINCE = """
create function twd.tick_statistics_since(since timestamptz)
returns table (day date, location text, kind text, name text, status text, ticks bigint,
  last_at timestamptz)
language sql stable as $body$
  select (t.timestamp::timestamptz at time zone 'utc')::date,
         i.instigator_body::jsonb
           #>> '{origin,external_repository_origin,repository_location_origin,location_name}',
         i.instigator_type::text, i.instigator_body::jsonb #>> '{origin,job_name}',
         t.status::text, count(*), max(t.timestamp)::timestamptz
  from instigators i
  join job_ticks t on t.selector_id = i.selector_id and t.timestamp >= since::timestamp
  group by 1, 2, 3, 4, 5
$body$
"""

_FUNCTIONS = {
    "runs_since": (_RUNS_SINCE, "Runs that changed since then, as Dagster has them"),
    "run_statistics_since": (_STATISTICS_SINCE, "Runs by day, job and status"),
    "failed_runs_since": (_FAILED_SINCE, "Runs that failed since then, and why"),
    "step_statistics_since": (_STEPS_SINCE, "How long steps that succeeded took"),
    "asset_runs_since": (_ASSETS_SINCE, "Materializations since then, with their numbers"),
    "tick_statistics_since": (_TICKS_SINCE, "Ticks of sensors and schedules by day and status"),
}
_VIEWS = {
    "run_statistics": 30,
    "failed_runs": 30,
    "step_statistics": 7,
    "asset_runs": 7,
    "tick_statistics": 7,
}


def upgrade() -> None:
    op.add_column(
        "source_checks",
        sa.Column(
            "fresh_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it last said that the index holds its schema; null = not known",
        ),
        schema="twd",
    )
    op.execute("update twd.source_checks set fresh_at = asked_at where freshness = 'fresh'")
    op.execute(_OBJECTIVE)
    op.execute(
        "comment on function twd.freshness_objective_seconds() is"
        " 'Within which a change of a source has to be in its knowledge base'"
    )
    op.execute(_CONNECTION_FRESHNESS)
    op.execute(
        "comment on view twd.connection_freshness is"
        " 'Of each active connection one status, its cause and since when'"
    )
    # Dagster may make its tables after this.
    op.execute("set local check_function_bodies = off")
    op.execute(_EVENT_BODY)
    op.execute("comment on function twd.event_body(text) is 'An event of Dagster as jsonb'")
    for name, (statement, comment) in _FUNCTIONS.items():
        op.execute(statement)
        op.execute(f"comment on function twd.{name}(timestamptz) is '{comment}'")
    for name, days in _VIEWS.items():
        op.execute(
            f"create view twd.{name} as"  # noqa: S608 - put together from constants
            f" select * from twd.{name}_since(now() - interval '{days} days')"
        )
        comment = f"{_FUNCTIONS[f'{name}_since'][1]}: the last {days} days"
        op.execute(f"comment on view twd.{name} is '{comment}'")


def downgrade() -> None:
    for name in _VIEWS:
        op.execute(f"drop view twd.{name}")
    for name in reversed(_FUNCTIONS):
        op.execute(f"drop function twd.{name}(timestamptz)")
    op.execute("drop function twd.event_body(text)")
    op.execute("drop view twd.connection_freshness")
    op.execute("drop function twd.freshness_objective_seconds()")
    op.drop_column("source_checks", "fresh_at", schema="twd")
