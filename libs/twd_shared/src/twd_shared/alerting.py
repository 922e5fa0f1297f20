"""Failure alerts and success logs of all locations, through one outbox.

A run that fails raises one alert whichever way it is noticed first: the hook of a job's step and
the sensor over all runs use the same key.
"""

import dagster as dg

from twd_shared.contract import CONNECTION_TAG, DATABASE_TAG, TRIGGER_TAG
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.store.alerts import Alert

# Dagster sets it on the runs that it starts by itself in place of a failed one.
_RETRY_NUMBER_TAG = "dagster/retry_number"


def failure_alert(run: dg.DagsterRun, reason: str, ui_url: str) -> Alert:
    """The alert of a failed run; the run and its automatic retries have the same key.

    A run that somebody executed again is news: its failure raises an alert of its own.
    """
    retried = _RETRY_NUMBER_TAG in run.tags
    event = (run.root_run_id if retried else None) or run.run_id
    about = run.tags.get("dagster/partition") or run.tags.get(DATABASE_TAG) or "no partition"
    return Alert(
        key=f"run-failure:{event}",
        severity="failure",
        title=f"{run.job_name} failed for {about}",
        body=reason.strip() or "The run ended without a message; see its log.",
        link=f"{ui_url}/runs/{run.run_id}",
    )


def success_log_hook() -> dg.HookDefinition:
    """A hook that logs each step that succeeded, with its connection."""

    @dg.success_hook(name="success_log_hook")
    def hook(context: dg.HookContext) -> None:
        context.log.info(f"{context.op.name} succeeded in run {context.run_id}")

    return hook


def failure_alert_hook(ui_url: str) -> dg.HookDefinition:
    """A hook that alerts once when a step of a job has failed for good."""

    @dg.failure_hook(name="failure_alert_hook", required_resource_keys={"metadata_store"})
    def hook(context: dg.HookContext) -> None:
        store: MetadataStoreResource = context.resources.metadata_store
        run = context.instance.get_run_by_id(context.run_id)
        if run is not None:
            store.alerts.raise_alert(failure_alert(run, _message(context.op_exception), ui_url))

    return hook


def run_failure_alert_sensor(ui_url: str, interval_seconds: int) -> dg.SensorDefinition:
    """The sensor that alerts once for every failed run of every code location."""

    @dg.run_failure_sensor(
        name="run_failure_alert_sensor",
        monitor_all_code_locations=True,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=interval_seconds,
        description="Raises one alert for each failed run, of whichever code location.",
    )
    def sensor(context: dg.RunFailureSensorContext, metadata_store: MetadataStoreResource) -> None:
        steps = context.get_step_failure_events()
        errors = [step.step_failure_data.error for step in steps]
        first = next((error.message for error in errors if error), context.failure_event.message)
        metadata_store.alerts.raise_alert(failure_alert(context.dagster_run, first or "", ui_url))

    return sensor


def run_tags(connection_id: str, database_name: str, trigger: str) -> dict[str, str]:
    """Tags of a requested run: which connection, which database, what asked for it."""
    return {CONNECTION_TAG: connection_id, DATABASE_TAG: database_name, TRIGGER_TAG: trigger}


def _message(error: BaseException | None) -> str:
    return str(error) if error else ""
