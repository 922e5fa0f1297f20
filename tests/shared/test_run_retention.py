"""Old runs are deleted with what they left, except for those that an asset still rests on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.storage.event_log.schema import AssetEventTagsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from twd_shared.run_retention import OldRuns, delete_old_runs

pytestmark = pytest.mark.integration

_TOMORROW = datetime.now(UTC) + timedelta(days=1)


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["one", "other"]))
def partitioned() -> None:
    print("said by a run")


@dg.asset
def whole() -> None: ...


@dg.asset
def failing() -> None:
    raise RuntimeError("this run fails")


def _run(
    instance: dg.DagsterInstance, asset: dg.AssetsDefinition, partition: str | None = None
) -> str:
    return dg.materialize(
        [asset], instance=instance, partition_key=partition, raise_on_error=False
    ).run_id


def test_the_run_that_wrote_the_newest_of_each_asset_and_partition_is_kept(
    instance: dg.DagsterInstance,
) -> None:
    superseded = [_run(instance, partitioned, "one"), _run(instance, whole)]
    newest = [
        _run(instance, partitioned, "other"),
        _run(instance, partitioned, "one"),
        _run(instance, whole),
    ]
    failed = _run(instance, failing)
    assert delete_old_runs(instance, _TOMORROW) == OldRuns(deleted=3, kept=3, events=0)
    assert set(instance.get_run_ids()) == set(newest)
    for run_id in (*superseded, failed):
        assert not instance.all_logs(run_id)
    assert instance.get_materialized_partitions(partitioned.key) == {"one", "other"}


def test_what_a_deleted_run_printed_is_deleted_as_well(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    old, new = _run(instance, partitioned, "one"), _run(instance, partitioned, "one")
    assert list(tmp_path.rglob(f"{old}/**/*.out"))
    delete_old_runs(instance, _TOMORROW)
    assert not list(tmp_path.rglob(f"*{old}*"))
    assert list(tmp_path.rglob(f"{new}/**/*.out"))


def test_runs_that_ended_later_or_go_on_are_left_alone(instance: dg.DagsterInstance) -> None:
    _run(instance, failing)
    going_on = dg.DagsterRun("goes_on", status=dg.DagsterRunStatus.STARTED)
    instance.add_run(going_on)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert delete_old_runs(instance, an_hour_ago) == OldRuns(deleted=0, kept=0, events=0)
    delete_old_runs(instance, _TOMORROW)
    assert list(instance.get_run_ids()) == [going_on.run_id]


def test_doing_it_again_changes_nothing(instance: dg.DagsterInstance) -> None:
    for _ in range(2):
        _run(instance, whole)
    assert delete_old_runs(instance, _TOMORROW) == OldRuns(deleted=1, kept=1, events=0)
    assert delete_old_runs(instance, _TOMORROW) == OldRuns(deleted=0, kept=1, events=0)


def test_old_events_of_no_run_are_deleted_but_for_the_newest_of_each_asset_and_partition(
    instance: dg.DagsterInstance,
) -> None:
    def observe(partition: str | None = None) -> int:
        instance.report_runless_asset_event(dg.AssetObservation("source", partition=partition))
        newest = instance.fetch_observations(dg.AssetKey("source"), limit=1).records
        return newest[0].storage_id

    def materialize() -> None:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                partitioned.key, partition="one", tags={DATA_VERSION_TAG: "some"}
            )
        )

    for partition in (None, "one", "one"):
        observe(partition)
    newest = [observe("other"), observe("one"), observe()]
    materialize()
    materialize()
    before = datetime.now(UTC)
    later = observe()
    assert delete_old_runs(instance, before) == OldRuns(deleted=0, kept=0, events=5)
    found = instance.fetch_observations(dg.AssetKey("source"), limit=100).records
    assert {record.storage_id for record in found} == {*newest[:2], later}
    assert instance.get_materialized_partitions(partitioned.key) == {"one"}
    [kept] = instance.fetch_materializations(partitioned.key, limit=100).records
    assert _tagged(instance) == {kept.storage_id}


def _tagged(instance: dg.DagsterInstance) -> set[int]:
    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    with storage.index_connection() as connection:
        return set(connection.scalars(sa.select(AssetEventTagsTable.c.event_id)))
