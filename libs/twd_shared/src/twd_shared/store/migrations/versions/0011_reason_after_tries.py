"""A step that failed at each of its tries has what it raised for the reason, as others have"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_FAILED_SINCE = """
create or replace function twd.failed_runs_since(since timestamptz)
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
      when o.error ->> 'cls_name' in (%s)
        and jsonb_typeof(o.error -> 'cause') = 'object' then o.error -> 'cause'
      else o.error
    end as error
    from (select e.body #> '{dagster_event,event_specific_data,error}' as error) o
  ) f
  where r.status = 'FAILURE'
$body$
"""


def upgrade() -> None:
    _unwrap("'DagsterExecutionStepExecutionError', 'RetryRequestedFromPolicy'")


def downgrade() -> None:
    _unwrap("'DagsterExecutionStepExecutionError'")


def _unwrap(wrappers: str) -> None:
    # Dagster may make its tables after this.
    op.execute("set local check_function_bodies = off")
    op.execute(_FAILED_SINCE % wrappers)
