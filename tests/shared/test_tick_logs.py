"""What a tick logged is deleted with the tick, which Dagster deletes alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._core.storage.compute_log_manager import ComputeIOType

from twd_shared.tick_logs import delete_logs_of_gone_ticks

_SENSOR = "schema_automation_sensor"
_YESTERDAY, _TODAY = 1_000.0, 90_000.0


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(
        str(tmp_path), overrides={"telemetry": {"enabled": False}}
    ) as made:
        yield made


def _log(instance: dg.DagsterInstance, *log_key: str) -> None:
    with instance.compute_log_manager.open_log_stream(log_key, ComputeIOType.STDERR) as stream:
        assert stream
        stream.write("{}\n")


def _tick(instance: dg.DagsterInstance, status: TickStatus, timestamp: float) -> int:
    """A tick that logged a line, as Dagster's daemon and code servers do it."""
    tick = instance.create_tick(
        TickData(
            "origin",
            _SENSOR,
            InstigatorType.SENSOR,
            status,
            timestamp,
            run_ids=[],
            selector_id="one",
        )
    )
    _log(instance, "__repository__", _SENSOR, str(tick.tick_id))
    return int(tick.tick_id)


def _logs(folder: Path) -> set[str]:
    return {path.stem for path in folder.rglob("*.err")}


def test_logs_are_deleted_when_their_tick_was(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    _tick(instance, TickStatus.SKIPPED, _YESTERDAY)
    requested = _tick(instance, TickStatus.SUCCESS, _YESTERDAY)
    skipped = _tick(instance, TickStatus.SKIPPED, _TODAY)
    instance.purge_ticks("origin", "one", before=_TODAY, tick_statuses=[TickStatus.SKIPPED])
    assert delete_logs_of_gone_ticks(instance) == 1
    assert _logs(tmp_path) == {str(requested), str(skipped)}
    assert delete_logs_of_gone_ticks(instance) == 0


def test_what_runs_and_others_wrote_is_left_alone(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    _log(instance, "some_run", "compute_logs", "7")
    _log(instance, "__repository__", _SENSOR, "20261130_2030")
    assert delete_logs_of_gone_ticks(instance) == 0
    assert _logs(tmp_path) == {"7", "20261130_2030"}


def test_where_logs_are_no_files_there_is_nothing_to_delete() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert delete_logs_of_gone_ticks(instance) == 0
