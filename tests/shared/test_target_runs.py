"""What a run updates that selects the target too asks for nothing more, of however many sources."""

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
    """Fails where a run says so, so that it stays as it was."""
    if "fails" in context.run.tags:
        raise dg.Failure("as told", allow_retries=False)


class Automation:
    """The two assets and their condition, tick by tick."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self._definitions = dg.Definitions([snapshot, index], executor=dg.in_process_executor)
        self._cursor: Any = None

    def run(self, *assets: dg.AssetsDefinition, partition: str, fails: bool = False) -> None:
        self._definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            partition_key=partition,
            asset_selection=[asset.key for asset in assets],
            tags={"fails": "yes"} if fails else {},
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
