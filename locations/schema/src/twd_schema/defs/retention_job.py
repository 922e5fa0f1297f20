"""The job that deletes what Dagster keeps for ever, of all locations, and its schedule."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from twd_shared.alerting import failure_alert_hook, success_log_hook
from twd_shared.check_retention import delete_results_of_gone_runs
from twd_shared.evaluation_retention import EVALUATION_DAYS, delete_old_evaluations
from twd_shared.run_retention import delete_old_runs
from twd_shared.settings import RUN_DAYS, Settings
from twd_shared.tick_logs import delete_logs_of_gone_ticks

_ALWAYS = (
    "Deletes what ticks logged and what checks found, once the ticks and runs are no more, and how "
    f"conditions were evaluated after {EVALUATION_DAYS} days."
)


def run_retention_job(settings: Settings) -> dg.JobDefinition:
    """A job that deletes the runs that ended longer ago than the settings keep them."""
    runs = (
        f"Deletes runs after {settings.run_days} days, with events and output."
        if settings.run_days
        else f"Runs are kept for ever, as {RUN_DAYS.name} is 0."
    )

    @dg.op(description="Runs that wrote what is still the newest of an asset are kept.")
    def delete_runs(context: dg.OpExecutionContext) -> None:
        now = datetime.now(UTC)
        delete_old_evaluations(context.instance, now)
        told: dict[str, dg.MetadataValue | int] = {
            "deleted_logs": delete_logs_of_gone_ticks(context.instance)
        }
        if settings.run_days:
            ended_before = now - timedelta(days=settings.run_days)
            old = delete_old_runs(context.instance, ended_before)
            told |= {
                "ended_before": dg.MetadataValue.timestamp(ended_before),
                "deleted_runs": old.deleted,
                "kept_runs": old.kept,
                "deleted_events_of_no_run": old.events,
            }
        told["deleted_check_results"] = delete_results_of_gone_runs(context.instance)
        context.add_output_metadata(told)

    @dg.job(
        name="run_retention_job",
        description=f"{runs} {_ALWAYS}",
        hooks={success_log_hook(), failure_alert_hook(settings.ui_url)},
    )
    def job() -> None:
        delete_runs()

    return job


def run_retention_schedule(settings: Settings, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """The schedule of that job, each night when little else goes on."""
    return dg.ScheduleDefinition(
        name="run_retention_schedule",
        job=job,
        cron_schedule="40 5 * * *",
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Deletes old runs, logs and evaluations each night.",
    )
