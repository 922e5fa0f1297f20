"""Failure alerts and success logs of all locations, through one outbox.

A run that fails raises one alert whichever way it is noticed first: the hook of a job's step and
the sensor over all runs use the same key. A run of the same that succeeds later is told once.
"""

from datetime import UTC, datetime

import dagster as dg
import msgspec

from twd_shared.contract import CONNECTION_TAG, DATABASE_TAG, TRIGGER_TAG
from twd_shared.errors import TwdError
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.store.alerts import Alert, OpenFailure

# Dagster sets it on the runs that it starts by itself in place of a failed one.
_RETRY_NUMBER_TAG = "dagster/retry_number"
_PARTITION_TAG = "dagster/partition"
# On a run that no person asked for, and that is asked for again while it fails.
_ASKED_FOR_BY_ITSELF = frozenset({TRIGGER_TAG, "dagster/sensor_name", "dagster/schedule_name"})

_FAILURE_KEY = "run-failure:"
_MOST_RUNS = 100


class RunSubject(msgspec.Struct, frozen=True):
    """What a run stands for: another run of the same that succeeds shows that it works again.

    Automation's runs are all of one nameless job: that one asset works says nothing of another.
    """

    location: str
    job: str
    partition: str
    assets: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: dg.DagsterRun) -> "RunSubject":
        """The subject of a run; `assets` only if its job has no name of its own."""
        origin = run.remote_job_origin
        nameless = run.job_name.startswith("__")
        selected = run.asset_selection or () if nameless else ()
        return cls(
            origin.repository_origin.code_location_origin.location_name if origin else "",
            run.job_name,
            run.tags.get(_PARTITION_TAG, ""),
            tuple(sorted(key.to_user_string() for key in selected)),
        )

    def text(self) -> str:
        """The subject as an alert keeps it."""
        return msgspec.json.encode(self, order="deterministic").decode()


def failure_alert(run: dg.DagsterRun, reason: str, ui_url: str) -> Alert:
    """The alert of a failed run; the run and its automatic retries have the same key.

    A run that somebody executed again is news: its failure raises an alert of its own.
    """
    retried = _RETRY_NUMBER_TAG in run.tags
    event = (run.root_run_id if retried else None) or run.run_id
    return Alert(
        key=f"{_FAILURE_KEY}{event}",
        severity="failure",
        title=f"{run.job_name} failed for {_about(run)}",
        body=reason.strip() or "The run ended without a message; see its log.",
        link=f"{ui_url}/runs/{run.run_id}",
        database=_database(run),
        subject=RunSubject.of(run).text(),
        is_repeat=not _ASKED_FOR_BY_ITSELF.isdisjoint(run.tags),
    )


def success_alert(run: dg.DagsterRun, ui_url: str) -> Alert:
    """The message that what had failed works again, as this run shows."""
    return Alert(
        key=f"run-works-again:{run.run_id}",
        severity="recovered",
        title=f"recovered: {run.job_name} works again for {_about(run)}",
        body="It had failed. A later run of the same job and partition has succeeded.",
        link=f"{ui_url}/runs/{run.run_id}",
        database=_database(run),
    )


def success_since(instance: dg.DagsterInstance, failure: OpenFailure) -> dg.DagsterRun | None:
    """A run of the failure's subject that succeeded after the failed run had ended, or None."""
    subject = msgspec.json.decode(failure.subject, type=RunSubject)
    failed = instance.get_run_record_by_id(failure.key.removeprefix(_FAILURE_KEY))
    if failed is not None and failed.end_time is None:
        return None
    # Of a run that was deleted nothing is known but when its alert was raised.
    since = failed.end_time if failed and failed.end_time else failure.raised_at.timestamp()
    tags = {_PARTITION_TAG: subject.partition} if subject.partition else None
    candidates = instance.get_run_records(
        dg.RunsFilter(
            job_name=subject.job,
            statuses=[dg.DagsterRunStatus.SUCCESS],
            tags=tags,
            updated_after=datetime.fromtimestamp(since, UTC),
        ),
        limit=_MOST_RUNS,
    )
    for record in candidates:
        ended_later = record.end_time is not None and record.end_time > since
        if ended_later and RunSubject.of(record.dagster_run) == subject:
            return record.dagster_run
    return None


def _about(run: dg.DagsterRun) -> str:
    return run.tags.get(_PARTITION_TAG) or run.tags.get(DATABASE_TAG) or "no partition"


def _database(run: dg.DagsterRun) -> str:
    # A day is a partition too, and runs that were asked for by hand have no tag of ours.
    return run.tags.get(_PARTITION_TAG, "") if DATABASE_TAG in run.tags else ""


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


def run_recovery_sensor(ui_url: str, interval_seconds: int) -> dg.SensorDefinition:
    """The sensor that tells once when what had failed works again, in any code location.

    It looks for runs of what is known to have failed, and not at every run that succeeds: of those
    Dagster gives a sensor five in a tick, and a fleet has thousands.
    """

    @dg.sensor(
        name="run_recovery_sensor",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=interval_seconds,
        description=(
            "Tells once when a job that had failed for a partition has succeeded for it, in "
            "whichever code location. Asks nothing while no failure is open."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext, metadata_store: MetadataStoreResource
    ) -> dg.SkipReason:
        try:
            failures = metadata_store.alerts.open_failures()
            recovered = 0
            for failure in failures:
                run = success_since(context.instance, failure)
                if run is not None:
                    alert = success_alert(run, ui_url)
                    recovered += metadata_store.alerts.works_again(failure, alert)
        except TwdError as error:
            return dg.SkipReason(str(error))
        return dg.SkipReason(f"{len(failures)} failures were open, {recovered} work again.")

    return sensor


def run_tags(connection_id: str, database_name: str, trigger: str) -> dict[str, str]:
    """Tags of a requested run: which connection, which database, what asked for it."""
    return {CONNECTION_TAG: connection_id, DATABASE_TAG: database_name, TRIGGER_TAG: trigger}


def _message(error: BaseException | None) -> str:
    return str(error) if error else ""
