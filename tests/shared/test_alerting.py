"""Which failures are one event and which are news, and when what failed works again."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest
import sqlalchemy as sa

from twd_shared.alerting import (
    RunSubject,
    failure_alert,
    failure_alert_hook,
    run_recovery_sensor,
    success_log_hook,
)
from twd_shared.contract import TRIGGER_TAG
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.store.alerts import AlertOutbox
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


def key(run: dg.DagsterRun) -> str:
    return failure_alert(run, "why", "http://ui").key


def test_an_automatic_retry_is_the_same_event() -> None:
    assert key(failed_run(SECOND, FIRST, retry_number="1")) == key(failed_run(FIRST))


def test_a_run_that_somebody_executed_again_is_news() -> None:
    assert key(failed_run(SECOND, FIRST)) != key(failed_run(FIRST))
    assert SECOND in failure_alert(failed_run(SECOND, FIRST), "why", "http://ui").link


# --- what works again -----------------------------------------------------------------------


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def outbox(database: MetadataDatabase) -> AlertOutbox:
    return AlertOutbox(database)


@dg.op
def step(context) -> None:  # Dagster reads the annotation, which is a text in this module.
    if context.run.tags.get("breaks"):
        raise dg.Failure("The source is away.")


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


def tick(instance: dg.DagsterInstance, metadata_dsn: str) -> str:
    """One evaluation of the sensor that tells what works again."""
    store = MetadataStoreResource(dsn=metadata_dsn)
    with dg.build_sensor_context(instance=instance, resources={"metadata_store": store}) as context:
        said = run_recovery_sensor("http://ui", 30)(context)
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


def test_hook_and_sensor_alert_of_the_same_run_once(
    instance: dg.DagsterInstance, metadata_dsn: str, outbox: AlertOutbox
) -> None:
    result = run(instance, metadata_dsn, breaks=True)
    failed_again = instance.get_run_by_id(result.run_id)
    assert failed_again is not None
    assert not outbox.raise_alert(failure_alert(failed_again, "seen by the sensor", "http://ui"))
    [failure] = outbox.open_failures()
    assert failure.key.endswith(result.run_id)


def test_a_step_that_succeeds_is_logged(instance: dg.DagsterInstance, metadata_dsn: str) -> None:
    result = run(instance, metadata_dsn)
    logs = "\n".join(str(record) for record in instance.all_logs(result.run_id))
    assert f"step succeeded in run {result.run_id}" in logs


def test_runs_of_automation_are_told_apart_by_their_assets() -> None:
    def automatic(*assets: str) -> str:
        keys = frozenset(dg.AssetKey(name) for name in assets)
        return RunSubject.of(dg.DagsterRun("__ASSET_JOB", asset_selection=keys)).text()

    assert automatic("a", "b") == automatic("b", "a") != automatic("a")
