"""What checks found is deleted once its run is no more, but for what is newest."""

from __future__ import annotations

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from twd_shared.check_retention import delete_results_of_gone_runs

pytestmark = pytest.mark.integration


@dg.asset(check_specs=[dg.AssetCheckSpec("whole", asset="checked")])
def checked() -> dg.MaterializeResult:
    passed = dg.AssetCheckResult(check_name="whole", passed=True)
    return dg.MaterializeResult(check_results=[passed])


def _run(instance: dg.DagsterInstance) -> str:
    return dg.materialize([checked], instance=instance).run_id


def _runs_with_results(instance: dg.DagsterInstance) -> list[str]:
    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    results = AssetCheckExecutionsTable
    with storage.index_connection() as connection:
        return list(connection.scalars(sa.select(results.c.run_id).order_by(results.c.id)))


def test_results_of_runs_that_are_no_more_are_deleted(instance: dg.DagsterInstance) -> None:
    gone, still_there, newest = (_run(instance) for _ in range(3))
    instance.delete_run(gone)
    assert delete_results_of_gone_runs(instance) == 1
    assert _runs_with_results(instance) == [still_there, newest]
    assert delete_results_of_gone_runs(instance) == 0


def test_the_newest_result_stays_without_its_run(instance: dg.DagsterInstance) -> None:
    superseded, newest = _run(instance), _run(instance)
    for run_id in (superseded, newest):
        instance.delete_run(run_id)
    assert delete_results_of_gone_runs(instance) == 1
    assert _runs_with_results(instance) == [newest]
