"""What is asked of the tables of schema `twd`: freshness, versions, alerts, measured days."""

from __future__ import annotations

from twd_shared.metrics.model import Metric, Query

_ONE = ("database",)
_MEASURE = ("measure",)

_FRESHNESS = Query(
    "freshness",
    "twd",
    """
    select partition_key as database, status, 1 as is_status, objective_met::int,
           extract(epoch from now() - known_fresh_at) as age, snapshot_version,
           index_snapshot_version, index_complete::int, knowledge_base_version,
           knowledge_base_snapshot_version, is_held::int
    from twd.connection_freshness
    """,
    {
        "is_status": Metric(
            "twd_freshness_status", "1 for the status that a database has now", (*_ONE, "status")
        ),
        "objective_met": Metric(
            "twd_freshness_objective_met",
            "1 = fresh, or not fresh for less than the objective; 0 = for longer",
            _ONE,
        ),
        "age": Metric(
            "twd_freshness_age_seconds",
            "Seconds since the knowledge base was last known to be as the source is",
            _ONE,
        ),
        "snapshot_version": Metric(
            "twd_snapshot_version", "Newest version of a database's schema", _ONE
        ),
        "index_snapshot_version": Metric(
            "twd_index_snapshot_version", "Version of the schema that the index holds", _ONE
        ),
        "index_complete": Metric(
            "twd_index_complete",
            "1 = the last publication to the schema index ended with all its points; 0 = not",
            _ONE,
        ),
        "knowledge_base_version": Metric(
            "twd_knowledge_base_version", "Version of the knowledge base that is served", _ONE
        ),
        "knowledge_base_snapshot_version": Metric(
            "twd_knowledge_base_snapshot_version",
            "Version of the schema that this knowledge base stands on",
            _ONE,
        ),
        "is_held": Metric(
            "twd_knowledge_base_held",
            "1 = a version for the newest schema is held back; 0 = none",
            _ONE,
        ),
    },
)

_OBJECTIVE = Query(
    "objective",
    "twd",
    "select twd.freshness_objective_seconds() as seconds",
    {
        "seconds": Metric(
            "twd_freshness_objective_seconds",
            "Within which a change of a source has to be in its knowledge base",
        )
    },
)

_CONNECTIONS = Query(
    "connections",
    "twd",
    """
    select db_type, case when is_active then 'active' else 'paused' end as state,
           count(*) as connections
    from twd.connections group by 1, 2
    """,
    {"connections": Metric("twd_connections", "Registered databases", ("db_type", "state"))},
)

_ALERTS = Query(
    "alerts",
    "twd",
    """
    select count(*) as undelivered,
           coalesce(extract(epoch from now() - min(raised_at)), 0) as oldest,
           (select count(*) from twd.alerts where refused_at is not null
              and raised_at > now() - interval '30 days') as refused,
           (select count(*) from twd.alerts where refused_at > now() - interval '1 day')
             as refused_last_day,
           (select count(distinct subject) from twd.alerts
              where recovered_at is null and subject <> ''
              and raised_at > now() - interval '30 days') as open_failures
    from twd.alerts where delivered_at is null and refused_at is null
    """,
    {
        "undelivered": Metric("twd_alerts_undelivered", "Alerts that wait for the webhook"),
        "oldest": Metric(
            "twd_alerts_oldest_undelivered_seconds", "How long the oldest has waited; 0 = none"
        ),
        "refused": Metric(
            "twd_alerts_refused", "Alerts of the last 30 days that the webhook does not take"
        ),
        "refused_last_day": Metric(
            "twd_alerts_refused_last_day", "Alerts that the webhook did not take within a day"
        ),
        "open_failures": Metric(
            "twd_open_failures", "What failed in the last 30 days and does not work again yet"
        ),
    },
)

# Only what is over is asked for: today is measured tomorrow.
_DAYS = Query(
    "measured_days",
    "twd",
    """
    select m.measure,
           extract(epoch from max(d.day)::timestamp at time zone %(timezone)s) as last_day,
           greatest(0, w.yesterday - w.first + 1
             - count(d.day) filter (where d.day between w.first and w.yesterday)) as missing
    from (values ('usage'), ('accuracy')) as m(measure)
    cross join (
      select yesterday, greatest(min(day), yesterday - 29) as first
      from twd.measured_days,
           (select (now() at time zone %(timezone)s)::date - 1 as yesterday) y
      group by yesterday
    ) w
    left join twd.measured_days d using (measure)
    group by m.measure, w.yesterday, w.first
    """,
    {
        "last_day": Metric(
            "twd_analytics_last_day_timestamp_seconds",
            "When the last day that was measured began, in TWD_TIMEZONE",
            _MEASURE,
        ),
        "missing": Metric(
            "twd_analytics_days_missing",
            "Days of the last 30, from the first that was ever measured on, that were not measured",
            _MEASURE,
        ),
    },
)

QUERIES = (_FRESHNESS, _OBJECTIVE, _CONNECTIONS, _ALERTS, _DAYS)
