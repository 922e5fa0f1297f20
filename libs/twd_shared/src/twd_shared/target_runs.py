"""Automation conditions on an input and the runs of the target: what those runs know of it."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from twd_shared.run_requests import assets_of

_DATA_VERSION_TAG = "dagster/data_version"
# More than are written between two ticks.
_MOST_RECORDS = 10_000


class UpdatedByRunsOfTarget(dg.AutomationCondition[dg.AssetKey]):
    """True of partitions whose every new materialization is of a run that selects the target.

    New is what came since the tick before. Dagster's own `executed_with_root_target` compares with
    the one materialization of an asset that came last, of whichever partition: of several sources
    that are imported between two ticks it knows one, and the others would be asked for once more.
    """

    def evaluate(self, context: "dg.AutomationContext[Any]") -> "dg.AutomationResult[Any]":
        """The partitions among the candidates."""
        candidates, previous = context.candidate_subset, context.previous_temporal_context
        if not candidates.is_partitioned or previous is None:
            return dg.AutomationResult(context, context.get_empty_subset())
        partitions = candidates.expensively_compute_partition_keys()
        records = context.asset_graph_view.instance.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=context.key,
                asset_partitions=sorted(partitions),
                after_storage_id=previous.last_event_id,
            ),
            # Each partition is written once between two ticks, or a few times.
            limit=10 * max(1, len(partitions)),
        ).records
        runs_of: dict[str, set[str]] = {}
        for record in records:
            runs_of.setdefault(str(record.partition_key), set()).add(record.run_id)
        of_target = self._runs_of_target(context, set[str]().union(*runs_of.values()))
        return dg.AutomationResult(
            context,
            candidates.compute_intersection_with_partition_keys(
                {partition for partition, runs in runs_of.items() if runs <= of_target}
            ),
        )

    @staticmethod
    def _runs_of_target(context: "dg.AutomationContext[Any]", run_ids: set[str]) -> set[str]:
        target = context.root_context.key
        # What depends on itself is not explained by its own runs.
        if not run_ids or target == context.key:
            return set()
        instance = context.asset_graph_view.instance
        runs = instance.get_runs(dg.RunsFilter(run_ids=sorted(run_ids)))
        return {run.run_id for run in runs if target in assets_of(instance, run)}


class ChangedSinceRunsOfTarget(dg.AutomationCondition[dg.AssetKey]):
    """True of partitions that changed after the run had begun which newly wrote the target.

    New is what came since the tick before, a change another data version, written by another run.
    Dagster takes an update of the target for an answer to all that changed until the same tick. A
    run that had begun before knows nothing of it, and the change would be lost.
    """

    def evaluate(self, context: "dg.AutomationContext[Any]") -> "dg.AutomationResult[Any]":
        """The partitions among the candidates."""
        candidates, previous = context.candidate_subset, context.previous_temporal_context
        target = context.root_context.key
        if not candidates.is_partitioned or previous is None or target == context.key:
            return dg.AutomationResult(context, context.get_empty_subset())
        instance = context.asset_graph_view.instance
        runs = {
            str(partition): run_id
            for partition, run_id in _runs_by_partition(instance, target, previous.last_event_id)
        }
        begun = {run_id: _begin_of(instance, run_id) for run_id in set(runs.values())}
        return dg.AutomationResult(
            context,
            candidates.compute_intersection_with_partition_keys(
                {
                    partition
                    for partition, run_id in runs.items()
                    if (start := begun[run_id]) is not None
                    and _has_changed(instance, context.key, partition, run_id, start)
                }
            ),
        )


def _runs_by_partition(
    instance: dg.DagsterInstance, asset: dg.AssetKey, after: int | None
) -> Iterable[tuple[str | None, str]]:
    """Each partition that was written after an event, with its run; the newest comes last."""
    written = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=asset, after_storage_id=after), limit=_MOST_RECORDS
    ).records
    return [(record.partition_key, record.run_id) for record in reversed(written)]


def _begin_of(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The storage id of the event with which a run began; None where nothing ran."""
    found = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.RUN_START, limit=1
    ).records
    return found[0].storage_id if found else None


def _has_changed(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str, run_id: str, start: int
) -> bool:
    """Whether the newest version by another run, written after `start`, is not that of before."""

    def versions(limit: int, after: int | None, before: int | None) -> list[str | None]:
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=asset,
                asset_partitions=[partition],
                after_storage_id=after,
                before_storage_id=before,
            ),
            limit,
        ).records
        return [
            (made.tags or {}).get(_DATA_VERSION_TAG)
            for record in records
            if record.run_id != run_id and (made := record.asset_materialization)
        ]

    # Rare: most targets were written by a run that came after all their inputs.
    since = versions(_MOST_RECORDS, after=start, before=None)
    return bool(since) and since[:1] != versions(1, after=None, before=start)
