"""The job that measures days, and the schedule that has it measure yesterday."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from twd_analytics.defs.assets import DAILY_QUERY_STATS, SQL_ACCURACY_REPORT
from twd_analytics.defs.days import FIRST_DAY
from twd_shared.alerting import failure_alert_hook, success_log_hook
from twd_shared.contract import TRIGGER_TAG
from twd_shared.settings import Settings

_SCHEDULE = "daily_analytics_schedule"
ALL_OF_A_DAY = (DAILY_QUERY_STATS, SQL_ACCURACY_REPORT)
"""What a run of the job writes."""


def analytics_job(settings: Settings) -> "dg.UnresolvedAssetJobDefinition":
    """Build the job of both assets with their checks."""
    return dg.define_asset_job(
        "analytics_job",
        selection=dg.AssetSelection.assets(*ALL_OF_A_DAY),
        hooks={success_log_hook(), failure_alert_hook(settings.ui_url)},
        description="Measures finished days: statistics, then the accuracy of generated SQL.",
    )


def daily_analytics_schedule(
    settings: Settings, job: "dg.UnresolvedAssetJobDefinition"
) -> dg.ScheduleDefinition:
    """Build the schedule, which runs from the start."""

    @dg.schedule(
        name=_SCHEDULE,
        job=job,
        cron_schedule="30 0 * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="At half past midnight, measures the day that has just ended.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        # Of the moment that was planned: a tick may run late.
        today = context.scheduled_execution_time.astimezone(ZoneInfo(settings.timezone)).date()
        yesterday = (today - timedelta(days=1)).isoformat()
        if yesterday < FIRST_DAY:
            return dg.SkipReason(f"Days are measured from {FIRST_DAY} on.")
        return dg.RunRequest(
            partition_key=yesterday, run_key=yesterday, tags={TRIGGER_TAG: _SCHEDULE}
        )

    return schedule
