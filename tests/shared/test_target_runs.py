"""An input that changes is asked for once, whatever the runs of the target do meanwhile."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from twd_shared.automation import on_changed_inputs

SOURCES = dg.DynamicPartitionsDefinition(name="source_databases")
BOTH = ("shop", "store")


@dg.asset(partitions_def=SOURCES)
def snapshot(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Another version with each run."""
    return dg.MaterializeResult(data_version=dg.DataVersion(context.run.run_id))


@dg.asset(partitions_def=SOURCES, deps=[snapshot], automation_condition=on_changed_inputs())
def index(context: dg.AssetExecutionContext) -> None:
    """Fails where a run says so, so that it stays as it was; or its input is written meanwhile."""
    if "fails" in context.run.tags:
        raise dg.Failure("as told", allow_retries=False)
    for version in context.run.tags.get("meanwhile", "").split():
        write_snapshot(context.instance, context.partition_key, version)


def write_snapshot(instance: dg.DagsterInstance, partition: str, version: str) -> None:
    report(instance, snapshot.key, partition, version)


def report(instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str, version: str) -> None:
    """Write a partition as whoever reports it from outside does."""
    tags = {"dagster/data_version": version}
    instance.report_runless_asset_event(
        dg.AssetMaterialization(asset, partition=partition, tags=tags)
    )


class Automation:
    """The two assets and their condition, tick by tick."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self._definitions = dg.Definitions([snapshot, index], executor=dg.in_process_executor)
        self._cursor: Any = None

    def run(
        self,
        *assets: dg.AssetsDefinition,
        partition: str,
        fails: bool = False,
        meanwhile: str = "",
    ) -> None:
        self._definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            partition_key=partition,
            asset_selection=[asset.key for asset in assets],
            tags={
                **({"fails": "yes"} if fails else {}),
                **({"meanwhile": meanwhile} if meanwhile else {}),
            },
            raise_on_error=False,
        )

    def run_job(self, partition: str) -> None:
        """The whole job, as the UI launches it: without a selection of assets."""
        self._definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            partition_key=partition,
            tags={"fails": "yes"},
            raise_on_error=False,
        )

    def tick(self) -> set[str]:
        """The partitions of `index` that are requested now."""
        result = dg.evaluate_automation_conditions(
            defs=self._definitions, instance=self.instance, cursor=self._cursor
        )
        self._cursor = result.cursor
        return {str(partition) for partition in result.get_requested_partitions(index.key)}


@pytest.fixture
def automation() -> Iterator[Automation]:
    """Two sources that are indexed, and quiet."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("source_databases", list(BOTH))
        made = Automation(instance)
        for partition in BOTH:
            made.run(snapshot, index, partition=partition)
        made.tick()
        yield made


def test_several_sources_that_were_imported_between_two_ticks_are_left_alone(
    automation: Automation,
) -> None:
    for partition in BOTH:
        automation.run(snapshot, index, partition=partition, fails=True)
    assert automation.tick() == set()


def test_sources_that_were_only_read_are_asked_for(automation: Automation) -> None:
    for partition in BOTH:
        automation.run(snapshot, partition=partition)
    assert automation.tick() == set(BOTH)


def test_a_source_that_was_read_once_more_by_itself_is_asked_for(automation: Automation) -> None:
    automation.run(snapshot, index, partition="shop", fails=True)
    automation.run(snapshot, partition="shop")
    assert automation.tick() == {"shop"}


def test_a_whole_job_that_was_launched_by_hand_counts_as_writing_all_of_its_assets(
    automation: Automation,
) -> None:
    automation.run_job("shop")
    assert automation.tick() == set()


def test_what_changes_between_an_update_and_the_tick_that_sees_it_is_asked_for(
    automation: Automation,
) -> None:
    automation.run(index, partition="shop")
    automation.run(snapshot, partition="shop")
    assert automation.tick() == {"shop"}


def test_what_changes_while_the_target_is_written_is_asked_for_until_it_is_known(
    automation: Automation,
) -> None:
    automation.run(index, partition="shop", meanwhile="another")
    assert automation.tick() == {"shop"}
    automation.run(index, partition="shop")
    assert automation.tick() == set()


def test_a_change_that_is_seen_before_the_run_that_missed_it_has_ended_is_not_forgotten(
    automation: Automation,
) -> None:
    write_snapshot(automation.instance, "shop", "one")
    assert automation.tick() == {"shop"}
    automation.run(index, partition="shop", meanwhile="two")
    assert automation.tick() == {"shop"}


def test_a_second_change_right_after_a_request_is_asked_for_too(automation: Automation) -> None:
    write_snapshot(automation.instance, "shop", "one")
    assert automation.tick() == {"shop"}
    write_snapshot(automation.instance, "shop", "two")
    assert automation.tick() == {"shop"}
    automation.run(index, partition="shop")
    assert automation.tick() == set()


def test_an_input_that_was_written_again_as_it_was_asks_for_nothing(automation: Automation) -> None:
    write_snapshot(automation.instance, "shop", "same")
    automation.run(index, partition="shop", meanwhile="same")
    assert automation.tick() == set()


def test_what_a_later_run_knew_is_not_asked_for(automation: Automation) -> None:
    automation.run(snapshot, partition="shop")
    automation.run(index, partition="shop")
    assert automation.tick() == set()


def test_what_changed_for_one_source_is_not_asked_for_another(automation: Automation) -> None:
    automation.run(index, partition="shop", meanwhile="another")
    automation.run(index, partition="store")
    assert automation.tick() == {"shop"}


def test_an_input_that_went_to_and_fro_while_the_target_was_written_is_asked_for(
    automation: Automation,
) -> None:
    write_snapshot(automation.instance, "shop", "one")
    automation.run(index, partition="shop", meanwhile="two one")
    assert automation.tick() == {"shop"}


def test_what_was_reported_from_outside_knows_what_was_there_before_it(
    automation: Automation,
) -> None:
    report(automation.instance, index.key, "shop", "by hand")
    assert automation.tick() == set()
    report(automation.instance, index.key, "shop", "by hand")
    automation.run(snapshot, partition="shop")
    assert automation.tick() == {"shop"}


def test_a_partition_that_is_gone_is_not_asked_for(automation: Automation) -> None:
    automation.run(index, partition="shop", meanwhile="another")
    automation.instance.delete_dynamic_partition("source_databases", "shop")
    assert automation.tick() == set()


def test_a_run_that_failed_to_learn_of_a_change_is_not_asked_for_on_and_on(
    automation: Automation,
) -> None:
    automation.run(index, partition="shop", meanwhile="another")
    assert automation.tick() == {"shop"}
    automation.run(index, partition="shop", fails=True)
    assert [automation.tick() for _ in range(3)] == [set()] * 3
