"""The ticks of sensors and schedules in Dagster's storage, as SQL."""

TICKS = """(
    select t.id, t.status, b.body,
           coalesce(i.body #>> '{origin,job_name}', b.body ->> 'instigator_name') as name
    from job_ticks t
    cross join lateral (select t.tick_body::jsonb as body) b
    left join lateral (
      select instigator_body::jsonb as body from instigators where selector_id = t.selector_id
    ) i on true
) as ticks"""
"""A relation: number, status, body and the name of the sensor or schedule of each."""
