"""Failure alerts and success logs of all locations, through one outbox.

A run that fails raises one alert whichever way it is noticed first: the hook of a job's step and
the sensor over all runs use the same key and text. A run of the same that succeeds later is told
once.
"""

import re
import traceback
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.tags import WILL_RETRY_TAG
from sqlalchemy.exc import SQLAlchemyError

from twd_shared.contract import DATABASE_TAG, TRIGGER_TAG
from twd_shared.errors import TwdError
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.run_subjects import PARTITION_TAG, RunSubject, mending_run, partition_of
from twd_shared.step_errors import raised_in
from twd_shared.store.alerts import Alert, OpenFailure

# Dagster sets it on the runs that it starts by itself in place of a failed one.
_RETRY_NUMBER_TAG = "dagster/retry_number"
# On a run that no person asked for, and that is asked for again while it fails.
_ASKED_FOR_BY_ITSELF = frozenset({TRIGGER_TAG, "dagster/sensor_name", "dagster/schedule_name"})
# Dagster's own name for what conditions, backfills and people run without naming a job.
_JOB_OF_ASSETS = "__ASSET_JOB"
_MOST_NAMED = 3
# What Dagster says of a run that something else than the run itself marks as failed.
_MARKED_AS_FAILED = "This run has been marked as failed from outside the execution context."

_FAILURE_KEY = "run-failure:"


def failure_alert(
    run: dg.DagsterRun, instance: dg.DagsterInstance, reason: str, ui_url: str
) -> Alert:
    """The alert of a failed run; the run and its automatic retries have the same key.

    A run that somebody executed, or executed again, is news: its failure raises an alert of its
    own.
    """
    retried = _RETRY_NUMBER_TAG in run.tags
    # What a person executes again keeps the tags of the run that it repeats.
    by_a_person = run.parent_run_id is not None and not retried
    event = (run.root_run_id if retried else None) or run.run_id
    return Alert(
        key=f"{_FAILURE_KEY}{event}",
        severity="failure",
        title=f"{_name(run)} failed for {_about(run)}",
        body=reason.strip() or "The run ended without a message; see its log.",
        link=f"{ui_url}/runs/{run.run_id}",
        database=_database(run),
        subject=RunSubject.of(run, instance).text(),
        is_repeat=not by_a_person and not _ASKED_FOR_BY_ITSELF.isdisjoint(run.tags),
    )


def failure_reason(message: str, class_name: str | None) -> str:
    """What an exception says, without its class; the class if it says nothing.

    `message` is the exception as Python prints it, without the traceback.
    """
    name = class_name or ""
    prefix = re.compile(rf"(?:[\w.<>]+\.)?{re.escape(name)}(?::|\s*$)")
    found = prefix.match(message.strip()) if name else None
    return message.strip()[found.end() if found else 0 :].strip() or name


def success_alert(run: dg.DagsterRun, failure: OpenFailure, ui_url: str) -> Alert:
    """The message that what had failed works again, as this run shows."""
    return Alert(
        # Not by the run: it may do again what several runs had failed to do.
        key=f"run-works-again:{failure.key}",
        severity="recovered",
        title=f"recovered: {_name(run)} works again for {_about(run)}",
        body=f"It had been told: {failure.title}. This later run did the same and succeeded.",
        link=f"{ui_url}/runs/{run.run_id}",
        database=_database(run),
    )


def _name(run: dg.DagsterRun) -> str:
    if run.job_name != _JOB_OF_ASSETS or not run.asset_selection:
        return run.job_name
    keys = sorted(key.to_user_string() for key in run.asset_selection)
    more = len(keys) - _MOST_NAMED
    return f"run of {', '.join(keys[:_MOST_NAMED])}" + (f" and {more} more" if more > 0 else "")


def _about(run: dg.DagsterRun) -> str:
    return partition_of(run) or run.tags.get(DATABASE_TAG) or "no partition"


def _database(run: dg.DagsterRun) -> str:
    # A day is a partition too, and runs that were asked for by hand have no tag of ours.
    return run.tags.get(PARTITION_TAG, "") if DATABASE_TAG in run.tags else ""


def success_log_hook() -> dg.HookDefinition:
    """A hook that logs each step that succeeded, with its partition or database."""

    @dg.success_hook(name="success_log_hook")
    def hook(context: dg.HookContext) -> None:
        run = context.instance.get_run_by_id(context.run_id)
        about = f" for {_about(run)}" if run else ""
        context.log.info(f"{context.op.name} succeeded{about} in run {context.run_id}")

    return hook


def failure_alert_hook(ui_url: str) -> dg.HookDefinition:
    """A hook that alerts once when a step of a job has failed for good."""

    @dg.failure_hook(name="failure_alert_hook", required_resource_keys={"metadata_store"})
    def hook(context: dg.HookContext) -> None:
        store: MetadataStoreResource = context.resources.metadata_store
        run = context.instance.get_run_by_id(context.run_id)
        if run is not None:
            reason = _reason_of(context.op_exception)
            store.alerts.raise_alert(failure_alert(run, context.instance, reason, ui_url))

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
        first = next((found for step in steps if (found := step.step_failure_data.error)), None)
        try:
            if first is not None:
                raised = raised_in(first)
                reason = failure_reason(raised.message, raised.cls_name)
            else:
                reason = _what_ended(context)
            alert = failure_alert(context.dagster_run, context.instance, reason, ui_url)
            if alert.is_repeat and _works_again(context.instance, context.dagster_run, alert):
                return
            metadata_store.alerts.raise_alert(alert)
        except (TwdError, SQLAlchemyError) as error:
            # After any other kind of error Dagster goes on with the next run, and this one would
            # never be told. Those before it in the tick come again, and are known by their keys.
            raise dg.DagsterError(str(error)) from None

    return sensor


def run_recovery_sensor(ui_url: str, interval_seconds: int) -> dg.SensorDefinition:
    """The sensor that tells once when what had failed works again, in any code location.

    It looks for runs of what is known to have failed, and not at every run that succeeds: of those
    Dagster gives a sensor five in a tick, and a fleet has thousands. Its cursor is the failure that
    it looked at last: each has its turn, newest first.
    """

    @dg.sensor(
        name="run_recovery_sensor",
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=interval_seconds,
        description=(
            "Tells once when what had failed for a partition was done with success by a later "
            "run, in whichever code location. Asks nothing while no failure is open."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext, metadata_store: MetadataStoreResource
    ) -> dg.SkipReason:
        outbox = metadata_store.alerts
        try:
            page = outbox.open_failures(int(context.cursor) if context.cursor else None)
            removed = _removed_partitions(metadata_store) if page.failures else set[str]()
            recovered = 0
            for failure in page.failures:
                subject = RunSubject.from_text(failure.subject)
                if subject.partition in removed:
                    outbox.close(failure)
                    continue
                run_id = failure.key.removeprefix(_FAILURE_KEY)
                run = mending_run(context.instance, subject, run_id, failure.raised_at)
                if run is not None:
                    recovered += outbox.close(failure, success_alert(run, failure, ui_url))
        except TwdError as error:
            return dg.SkipReason(str(error))
        context.update_cursor("" if page.next_before is None else str(page.next_before))
        return dg.SkipReason(f"{len(page.failures)} failures were open, {recovered} work again.")

    return sensor


def _what_ended(context: dg.RunFailureSensorContext) -> str:
    """Why a run failed that no step of it failed, and whether Dagster does it again."""
    run, said = context.dagster_run, context.failure_event.message or ""
    if said == _MARKED_AS_FAILED:
        # Whoever marked it wrote down before what it had seen, such as the end of its process.
        entries = context.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        said = next((entry.message for entry in reversed(entries) if entry.message), said)
    again = run.tags.get(WILL_RETRY_TAG) == "true"
    return f"{said} Dagster starts it again by itself." if again else said


def _works_again(instance: dg.DagsterInstance, run: dg.DagsterRun, failure: Alert) -> bool:
    """Whether a later run succeeded before anybody looked at this one.

    Dagster gives a sensor five failed runs in a tick. What was tried again by itself and has worked
    since was told as failed already, and as working again: it must not seem to fail anew.
    """
    subject = RunSubject.from_text(failure.subject)
    return mending_run(instance, subject, run.run_id, datetime.now(UTC)) is not None


def _removed_partitions(metadata_store: MetadataStoreResource) -> set[str]:
    """Partitions whose connection was taken out: nothing will run for them again."""
    known = metadata_store.connections.known()
    return {item.partition_key for item in known if not item.is_active}


def _reason_of(error: BaseException | None) -> str:
    if error is None:
        return ""
    return failure_reason("".join(traceback.format_exception_only(error)), type(error).__name__)
