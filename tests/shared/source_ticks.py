"""A source that is read and indexed under an automation condition, tick by tick."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import dagster as dg

from twd_shared.automation import on_changed_inputs
from twd_shared.contract import SCHEMA_EMBEDDINGS

SOURCES = dg.DynamicPartitionsDefinition(name="source_databases")
BOTH = ("shop", "store")
PUBLISHED = dg.AssetSpec(SCHEMA_EMBEDDINGS.key, partitions_def=SOURCES)
"""What is known of another location."""


class SomethingHappens(dg.AutomationCondition[dg.AssetKey]):
    """False; it lets something happen while a tick goes on, before the conditions of `index`."""

    def evaluate(self, context: "dg.AutomationContext[Any]") -> "dg.AutomationResult[Any]":
        while WHILE_TICKING:
            # Outside of the tick's event loop, in which no run may be executed.
            happening = Thread(target=WHILE_TICKING.pop(0))
            happening.start()
            happening.join()
        return dg.AutomationResult(context, context.get_empty_subset())


@dg.asset(partitions_def=SOURCES, automation_condition=SomethingHappens())
def snapshot(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Another version with each run."""
    return dg.MaterializeResult(data_version=dg.DataVersion(context.run.run_id))


@dg.asset(partitions_def=SOURCES, deps=[snapshot], automation_condition=on_changed_inputs())
def index(context: dg.AssetExecutionContext) -> None:
    """Fails where a run says so, so that it stays as it was; or its input is written meanwhile."""
    if "ticks" in context.run.tags:
        WHILE_INDEXING.pop()()
    if "fails" in context.run.tags:
        raise dg.Failure("as told", allow_retries=False)
    for version in context.run.tags.get("meanwhile", "").split():
        write_snapshot(context.instance, context.partition_key, version)


WHILE_INDEXING: list[Callable[[], object]] = []
"""What the next run with the tag `ticks` does while it goes on."""


WHILE_TICKING: list[Callable[[], object]] = []
"""What happens after the next tick has begun."""


def write_snapshot(instance: dg.DagsterInstance, partition: str, version: str) -> None:
    report(instance, snapshot.key, partition, version)


def report(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    partition: str,
    version: str,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write a partition as whoever reports it from outside does."""
    tags = {"dagster/data_version": version, **(tags or {})}
    instance.report_runless_asset_event(
        dg.AssetMaterialization(asset, partition=partition, tags=tags)
    )


def _definitions(target: dg.AssetsDefinition) -> dg.Definitions:
    return dg.Definitions([snapshot, target, PUBLISHED], executor=dg.in_process_executor)


class Automation:
    """The two assets and their condition, tick by tick."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self._later = timedelta()
        self._definitions = _definitions(index)
        self._cursor: Any = None

    def run(
        self,
        *assets: dg.AssetsDefinition,
        partition: str,
        fails: bool = False,
        meanwhile: str = "",
        ticks: bool = False,
    ) -> set[str]:
        """Run them; gives what a tick requests that comes while `index` is written."""
        requested: set[str] = set()
        if ticks:
            WHILE_INDEXING.append(lambda: requested.update(self.tick()))
        self._definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            partition_key=partition,
            asset_selection=[asset.key for asset in assets],
            tags={
                **({"fails": "yes"} if fails else {}),
                **({"meanwhile": meanwhile} if meanwhile else {}),
                **({"ticks": "yes"} if ticks else {}),
            },
            raise_on_error=False,
        )
        return requested

    def run_job(self, partition: str) -> None:
        """The whole job, as the UI launches it: without a selection of assets."""
        self._definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            partition_key=partition,
            tags={"fails": "yes"},
            raise_on_error=False,
        )

    def tick(self, *meanwhile: Callable[[], object]) -> set[str]:
        """The partitions of `index` that are requested now; `meanwhile` happens after it began."""
        WHILE_TICKING.extend(meanwhile)
        result = dg.evaluate_automation_conditions(
            defs=self._definitions,
            instance=self.instance,
            cursor=self._cursor,
            evaluation_time=datetime.now(UTC) + self._later,
        )
        self._cursor = result.cursor
        return {str(partition) for partition in result.get_requested_partitions(index.key)}

    def forget(self) -> None:
        """What a tick leaves that dies while it submits its runs."""
        self._cursor = None

    def overlook(self) -> None:
        """Pass by all events until now, as a tick does for which they are not visible yet."""
        newest = self.instance.event_log_storage.get_maximum_record_id()
        self._cursor = replace(
            self._cursor,
            previous_condition_cursors=[
                replace(one, last_event_id=newest)
                for one in self._cursor.previous_condition_cursors
            ],
        )

    def deploy(self, condition: dg.AutomationCondition[Any]) -> None:
        """Another release, with another condition for `index`."""
        deployed = index.map_asset_specs(
            lambda spec: spec.replace_attributes(automation_condition=condition)
        )
        self._definitions = _definitions(deployed)

    def wait(self, hours: int) -> None:
        """Let the clock go on."""
        self._later += timedelta(hours=hours)
