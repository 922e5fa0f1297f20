"""Which failures are one event and which are news, and when what failed works again."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest
import sqlalchemy as sa

from twd_shared.alerting import (
    failure_alert,
    failure_alert_hook,
    failure_reason,
    run_failure_alert_sensor,
    run_recovery_sensor,
    success_log_hook,
)
from twd_shared.clients.catalog import Connection
from twd_shared.contract import TRIGGER_TAG
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.store.alerts import Alert, AlertOutbox
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import alerts


def failed_run(run_id: str, root: str | None = None, **tags: str) -> dg.DagsterRun:
    return dg.DagsterRun(
        job_name="import_job",
        run_id=run_id,
        root_run_id=root,
        parent_run_id=root,
        tags={f"dagster/{name}": value for name, value in tags.items()},
    )


FIRST = "00000000-0000-4000-8000-000000000001"
SECOND = "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def alert_of(run: dg.DagsterRun, instance: dg.DagsterInstance) -> Alert:
    return failure_alert(run, instance, "why", "http://ui")


def test_an_automatic_retry_is_the_same_event(instance: dg.DagsterInstance) -> None:
    retry = failed_run(SECOND, FIRST, retry_number="1")
    assert alert_of(retry, instance).key == alert_of(failed_run(FIRST), instance).key


def test_a_run_that_somebody_executed_again_is_news(instance: dg.DagsterInstance) -> None:
    again = alert_of(failed_run(SECOND, FIRST, sensor_name="schema_change_sensor"), instance)
    assert again.key != alert_of(failed_run(FIRST), instance).key
    assert SECOND in again.link
    assert not again.is_repeat


def test_a_failed_chunk_of_a_backfill_names_its_days(instance: dg.DagsterInstance) -> None:
    days = {"asset_partition_range_start": "2026-01-01", "asset_partition_range_end": "2026-04-10"}
    alert = alert_of(failed_run(FIRST, **days), instance)
    assert alert.title == "import_job failed for 2026-01-01...2026-04-10"


def test_a_run_that_no_job_names_is_named_after_its_assets(instance: dg.DagsterInstance) -> None:
    assets = {dg.AssetKey(["training", name]) for name in ("training_examples", "trained_model")}
    run = failed_run(FIRST, partition="shop")._replace(
        job_name="__ASSET_JOB", asset_selection=frozenset(assets)
    )
    title = "run of training/trained_model, training/training_examples failed for shop"
    assert alert_of(run, instance).title == title


@pytest.mark.parametrize(
    ("printed", "class_name", "reason"),
    [
        ("dagster._core.definitions.events.Failure: It is away.\n", "Failure", "It is away."),
        ("ValueError: a: b\nc\n", "ValueError", "a: b\nc"),
        ("a.b.f.<locals>.Odd: text\n", "Odd", "text"),
        ("KeyboardInterrupt\n", "KeyboardInterrupt", "KeyboardInterrupt"),
        ("Failure: a text that has no class", None, "Failure: a text that has no class"),
    ],
)
def test_a_reason_has_no_class_in_front(printed: str, class_name: str | None, reason: str) -> None:
    assert failure_reason(printed, class_name) == reason


# --- what works again -----------------------------------------------------------------------


REASONS = {
    "failure": (dg.Failure("The source is away."), "The source is away."),
    "exception": (ValueError("two: of three"), "two: of three"),
    "silent": (ValueError(), "ValueError"),
}


@dg.op
def step(context) -> None:  # Dagster reads the annotation, which is a text in this module.
    if context.run.tags.get("breaks"):
        raise REASONS[context.run.tags.get("kind", "failure")][0]


def run(
    instance: dg.DagsterInstance,
    metadata_dsn: str,
    *,
    breaks: bool = False,
    job: str = "sync_job",
    **tags: str,
) -> dg.ExecuteInProcessResult:
    """A run of a job with this project's hooks."""

    @dg.job(
        name=job,
        hooks={success_log_hook(), failure_alert_hook("http://ui")},
        resource_defs={"metadata_store": MetadataStoreResource(dsn=metadata_dsn)},
    )
    def made() -> None:
        step()

    named = {"dagster/partition": "shop", **tags}
    return made.execute_in_process(
        instance=instance,
        tags={**named, "breaks": "yes"} if breaks else named,
        raise_on_error=False,
    )


def notice(
    instance: dg.DagsterInstance, metadata_dsn: str, failed: dg.ExecuteInProcessResult
) -> None:
    """What the sensor over all failed runs does with this one."""
    [event] = [item for item in failed.all_events if item.is_run_failure]
    notice_event(instance, metadata_dsn, failed.dagster_run, event)


def notice_event(
    instance: dg.DagsterInstance, metadata_dsn: str, failed: dg.DagsterRun, event: dg.DagsterEvent
) -> None:
    store = MetadataStoreResource(dsn=metadata_dsn)
    with dg.build_run_status_sensor_context(
        sensor_name="run_failure_alert_sensor",
        dagster_instance=instance,
        dagster_run=failed,
        dagster_event=event,
        resources={"metadata_store": store},
    ) as context:
        run_failure_alert_sensor("http://ui", 30)(context.for_run_failure())
    store.database.close()


def tick(instance: dg.DagsterInstance, metadata_dsn: str, cursors: list[str] | None = None) -> str:
    """One evaluation of the sensor that tells what works again, from the last cursor on."""
    store = MetadataStoreResource(dsn=metadata_dsn)
    with dg.build_sensor_context(
        instance=instance,
        cursor=cursors[-1] if cursors else None,
        resources={"metadata_store": store},
    ) as context:
        said = run_recovery_sensor("http://ui", 30)(context)
        if cursors is not None:
            cursors.append(context.cursor or "")
    store.database.close()
    assert isinstance(said, dg.SkipReason)
    return said.skip_message or ""


def titles(database: MetadataDatabase) -> list[str]:
    with database.begin() as transaction:
        return list(
            transaction.execute(sa.select(alerts.c.title).order_by(alerts.c.sequence)).scalars()
        )


FAILED, AGAIN = "sync_job failed for shop", "recovered: sync_job works again for shop"


def test_a_job_that_works_again_is_told_once_however_often_it_had_failed(
    instance: dg.DagsterInstance, metadata_dsn: str, database: MetadataDatabase
) -> None:
    for breaks in (True, True, False, False):
        run(instance, metadata_dsn, breaks=breaks)
        for _ in range(2):
            tick(instance, metadata_dsn)
    assert titles(database) == [FAILED, FAILED, AGAIN]
    run(instance, metadata_dsn, breaks=True)
    run(instance, metadata_dsn)
    tick(instance, metadata_dsn)
    assert titles(database)[3:] == [FAILED, AGAIN]


def test_a_success_before_the_failure_or_of_something_else_is_no_recovery(
    instance: dg.DagsterInstance, metadata_dsn: str, database: MetadataDatabase
) -> None:
    run(instance, metadata_dsn)
    run(instance, metadata_dsn, breaks=True)
    run(instance, metadata_dsn, job="other_job")
    run(instance, metadata_dsn, **{"dagster/partition": "other"})
    assert tick(instance, metadata_dsn) == "1 failures were open, 0 work again."
    assert titles(database) == [FAILED]


def test_a_failure_that_a_sensor_asks_for_again_is_told_once_a_day_until_it_works(
    instance: dg.DagsterInstance, metadata_dsn: str, database: MetadataDatabase
) -> None:
    for _ in range(3):
        run(instance, metadata_dsn, breaks=True, **{TRIGGER_TAG: "schema_change_sensor"})
    assert titles(database) == [FAILED]
    with database.begin() as transaction:
        yesterday = sa.text("update twd.alerts set raised_at = now() - interval '25 hours'")
        transaction.execute(yesterday)
    run(instance, metadata_dsn, breaks=True, **{TRIGGER_TAG: "schema_change_sensor"})
    assert titles(database) == [FAILED] * 2
    run(instance, metadata_dsn)
    tick(instance, metadata_dsn)
    run(instance, metadata_dsn, breaks=True, **{TRIGGER_TAG: "schema_change_sensor"})
    assert titles(database) == [FAILED, FAILED, AGAIN, FAILED]


def test_a_repeated_failure_that_is_noticed_after_the_recovery_is_not_told_as_a_new_one(
    instance: dg.DagsterInstance, metadata_dsn: str, database: MetadataDatabase
) -> None:
    by_itself = {TRIGGER_TAG: "schema_change_sensor"}
    run(instance, metadata_dsn, breaks=True, **by_itself)
    repeated = run(instance, metadata_dsn, breaks=True, **by_itself)
    run(instance, metadata_dsn)
    tick(instance, metadata_dsn)
    notice(instance, metadata_dsn, repeated)
    tick(instance, metadata_dsn)
    assert titles(database) == [FAILED, AGAIN]


def test_one_run_that_does_again_what_two_had_failed_to_do_is_told_for_both(
    instance: dg.DagsterInstance, metadata_dsn: str, database: MetadataDatabase
) -> None:
    days = ("2026-03-01", "2026-03-02")
    for day in days:
        run(instance, metadata_dsn, breaks=True, **{"dagster/partition": day})
    ends = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
    run(instance, metadata_dsn, **dict(zip(ends, days, strict=True)))
    assert tick(instance, metadata_dsn) == "2 failures were open, 2 work again."
    assert (
        titles(database)[2:] == ["recovered: sync_job works again for 2026-03-01...2026-03-02"] * 2
    )


def test_what_fails_again_after_it_worked_is_not_told_to_work(
    instance: dg.DagsterInstance, metadata_dsn: str, database: MetadataDatabase
) -> None:
    for breaks in (True, False, True):
        run(instance, metadata_dsn, breaks=breaks, **{TRIGGER_TAG: "schema_change_sensor"})
    assert tick(instance, metadata_dsn) == "1 failures were open, 0 work again."
    run(instance, metadata_dsn)
    tick(instance, metadata_dsn)
    assert titles(database) == [FAILED, AGAIN]


def test_each_of_many_open_failures_has_its_turn(
    instance: dg.DagsterInstance, metadata_dsn: str, database: MetadataDatabase, outbox: AlertOutbox
) -> None:
    run(instance, metadata_dsn, breaks=True)
    run(instance, metadata_dsn)
    for number in range(250):
        other = alert_of(failed_run(f"{number}", partition=f"{number}"), instance)
        outbox.raise_alert(other)
    cursors = [""]
    said = [tick(instance, metadata_dsn, cursors) for _ in range(4)]
    assert [text.split(" ", 1)[0] for text in said] == ["100", "100", "51", "100"]
    assert titles(database)[-1] == AGAIN


def test_failures_of_a_connection_that_was_taken_out_are_closed_and_not_told(
    instance: dg.DagsterInstance, metadata_dsn: str, database: MetadataDatabase, outbox: AlertOutbox
) -> None:
    store = MetadataStoreResource(dsn=metadata_dsn)
    store.connections.register([Connection("7", "shop", "postgresql", True, "postgresql://x/y")])
    run(instance, metadata_dsn, breaks=True)
    tick(instance, metadata_dsn)
    assert len(outbox.open_failures(None).failures) == 1
    store.connections.register([Connection("7", "shop", "postgresql", False, "postgresql://x/y")])
    store.database.close()
    tick(instance, metadata_dsn)
    assert outbox.open_failures(None).failures == ()
    assert titles(database) == [FAILED]


def test_a_failure_whose_alert_could_not_be_written_is_told_at_the_next_tick(
    instance: dg.DagsterInstance, metadata_dsn: str, database: MetadataDatabase
) -> None:
    sensor = run_failure_alert_sensor("http://ui", 30)

    def tick(dsn: str, cursor: str | None) -> str | None:
        store = MetadataStoreResource(dsn=dsn)
        with dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"metadata_store": store}
        ) as context:
            return sensor.evaluate_tick(context).cursor

    begun = tick(metadata_dsn, None)

    @dg.job(name="sync_job")
    def made() -> None:
        step()

    tags = {"dagster/partition": "shop", "breaks": "yes"}
    made.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    with pytest.raises(dg.DagsterError, match="metadata database"):
        tick("postgresql://u:p@127.0.0.1:9/meta", begun)
    tick(metadata_dsn, begun)
    assert titles(database) == [FAILED]


def test_hook_and_sensor_alert_once_of_a_run_and_of_its_repeats(
    instance: dg.DagsterInstance, metadata_dsn: str, database: MetadataDatabase
) -> None:
    for _ in range(4):
        failed = run(instance, metadata_dsn, breaks=True, **{TRIGGER_TAG: "schema_change_sensor"})
        notice(instance, metadata_dsn, failed)
    assert titles(database) == [FAILED]


@pytest.mark.parametrize(
    ("will_retry", "more"), [("true", " Dagster starts it again by itself."), ("false", "")]
)
def test_a_run_whose_process_was_killed_is_told_with_what_killed_it(
    instance: dg.DagsterInstance,
    metadata_dsn: str,
    database: MetadataDatabase,
    will_retry: str,
    more: str,
) -> None:
    killed = failed_run(FIRST, partition="shop", will_retry=will_retry)
    instance.add_run(killed)
    instance.report_engine_event("Starting the process of the run.", killed)
    # As a code server does it that finds the process gone.
    instance.report_engine_event("Its process was terminated by signal 9 (SIGKILL).", killed)
    event = instance.report_run_failed(killed)
    notice_event(instance, metadata_dsn, killed, event)
    with database.begin() as transaction:
        body = transaction.execute(sa.select(alerts.c.body)).scalar_one()
    assert body == f"Its process was terminated by signal 9 (SIGKILL).{more}"


@pytest.mark.parametrize("kind", ["failure", "exception", "silent"])
def test_hook_and_sensor_give_the_same_reason(
    instance: dg.DagsterInstance, metadata_dsn: str, database: MetadataDatabase, kind: str
) -> None:
    failed = run(instance, metadata_dsn, breaks=True, kind=kind)
    with database.begin() as transaction:
        by_hook = transaction.execute(sa.delete(alerts).returning(alerts.c.body)).scalar_one()
    notice(instance, metadata_dsn, failed)
    with database.begin() as transaction:
        by_sensor = transaction.execute(sa.select(alerts.c.body)).scalar_one()
    assert by_hook == by_sensor == REASONS[kind][1]


def test_a_person_who_runs_what_fails_by_itself_is_told(
    instance: dg.DagsterInstance, metadata_dsn: str, database: MetadataDatabase
) -> None:
    run(instance, metadata_dsn, breaks=True, **{TRIGGER_TAG: "schema_change_sensor"})
    run(instance, metadata_dsn, breaks=True)
    assert titles(database) == [FAILED] * 2


def test_a_step_that_succeeds_is_logged_with_its_partition(
    instance: dg.DagsterInstance, metadata_dsn: str
) -> None:
    result = run(instance, metadata_dsn)
    logs = "\n".join(str(record) for record in instance.all_logs(result.run_id))
    assert f"step succeeded for shop in run {result.run_id}" in logs
