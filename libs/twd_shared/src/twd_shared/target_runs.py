"""Automation conditions on an input and the runs of the target: what those runs know of it."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import dagster as dg
from dagster._core.storage.event_log.base import AssetEventSummaryRecord

from twd_shared.run_requests import assets_of

_DATA_VERSION_TAG = "dagster/data_version"
# Dagster gives no more at once.
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
        if candidates.is_empty or not candidates.is_partitioned or previous is None:
            return dg.AutomationResult(context, context.get_empty_subset())
        partitions = candidates.expensively_compute_partition_keys()
        records = context.asset_graph_view.instance.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=context.key,
                asset_partitions=sorted(partitions),
                after_storage_id=previous.last_event_id,
            ),
            # Each partition is written once between two ticks, or a few times.
            limit=min(10 * len(partitions), _MOST_RECORDS),
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
    run that had begun before knows nothing of it, and the change would be lost. Events of runs and
    of assets must be numbered together, as in PostgreSQL; Dagster's SQLite storage does not.
    """

    def evaluate(self, context: "dg.AutomationContext[Any]") -> "dg.AutomationResult[Any]":
        """The partitions among the candidates."""
        candidates, previous = context.candidate_subset, context.previous_temporal_context
        target = context.root_context.key
        if (
            candidates.is_empty
            or not candidates.is_partitioned
            or previous is None
            or target == context.key
        ):
            return dg.AutomationResult(context, context.get_empty_subset())
        view = context.asset_graph_view
        # Each time anew: what Dagster sees of the target now must be seen here too.
        written = _written(view.instance, target, previous.last_event_id)
        if not written:
            return dg.AutomationResult(context, context.get_empty_subset())
        updates = _updates.setdefault(view, {}).setdefault(
            (target, written[-1].storage_id), _Updates(view.instance, written)
        )
        # Rare. A partition may be gone that was written since.
        missed = updates.missed(context.key)
        missed = missed and missed & candidates.expensively_compute_partition_keys()
        return dg.AutomationResult(
            context, candidates.compute_intersection_with_partition_keys(missed)
        )


class _Updates:
    """Updates of a target, and what they did not know; each fact is asked for once a tick."""

    def __init__(
        self, instance: dg.DagsterInstance, written: Sequence[AssetEventSummaryRecord]
    ) -> None:
        self._instance = instance
        self._written = written
        self._missed: dict[dg.AssetKey, frozenset[str]] = {}

    def missed(self, asset: dg.AssetKey) -> frozenset[str]:
        """The partitions of an input that the target's runs did not know as they are now."""
        if asset not in self._missed:
            self._missed[asset] = frozenset(self._missed_of(asset))
        return self._missed[asset]

    @cached_property
    def _runs(self) -> dict[str, tuple[str, int]]:
        """Partition → the run that wrote the target last, and the event with which it began."""
        written = {
            record.partition: (record.run_id or "", record.storage_id)
            for record in self._written
            if record.partition is not None
        }
        begun = {run_id: self._begin_of(run_id) for run_id in {one for one, _ in written.values()}}
        return {
            partition: (run_id, begun[run_id] or event)
            for partition, (run_id, event) in written.items()
        }

    def _begin_of(self, run_id: str) -> int | None:
        # What was reported from outside has no run.
        if not run_id:
            return None
        found = self._instance.get_records_for_run(
            run_id, of_type=dg.DagsterEventType.RUN_START, limit=1
        ).records
        return found[0].storage_id if found else None

    def _missed_of(self, asset: dg.AssetKey) -> Iterator[str]:
        if not self._runs:
            return
        first = min(begun for _, begun in self._runs.values())
        later: set[str] = set()
        for record in _written(self._instance, asset, first):
            if record.partition in self._runs:
                run_id, begun = self._runs[record.partition]
                if record.storage_id > begun and record.run_id != run_id:
                    later.add(record.partition)
        # Rare: most targets were written by a run that came after all of their inputs.
        for partition in later:
            if self._has_changed(asset, partition, *self._runs[partition]):
                yield partition

    def _has_changed(self, asset: dg.AssetKey, partition: str, run_id: str, begun: int) -> bool:
        """Whether another run wrote another version than the last that the target's run knew."""
        foreign: set[str] = set()
        for record in self._records(asset, partition, after=begun, most=_MOST_RECORDS):
            if record.run_id == run_id:
                return bool(foreign - {"", _version(record)})
            foreign.add(_version(record))
        before = self._records(asset, partition, before=begun, most=1)
        return bool(foreign - {""} - {_version(record) for record in before})

    def _records(
        self,
        asset: dg.AssetKey,
        partition: str,
        *,
        most: int,
        after: int | None = None,
        before: int | None = None,
    ) -> Sequence[dg.EventLogRecord]:
        return self._instance.fetch_materializations(
            dg.AssetRecordsFilter(
                asset_key=asset,
                asset_partitions=[partition],
                after_storage_id=after,
                before_storage_id=before,
            ),
            most,
        ).records


_updates: WeakKeyDictionary[Any, dict[tuple[Any, int], _Updates]] = WeakKeyDictionary()
"""By what Dagster evaluates one tick with."""


def _written(
    instance: dg.DagsterInstance, asset: dg.AssetKey, after: int | None
) -> Sequence[AssetEventSummaryRecord]:
    return instance.get_asset_event_summary_records(
        event_type=dg.DagsterEventType.ASSET_MATERIALIZATION,
        asset_key=asset,
        after_storage_id=after,
        ascending=True,
    )


def _version(record: dg.EventLogRecord) -> str:
    """The data version that was written; '' if none is told."""
    made = record.asset_materialization
    return ((made and made.tags) or {}).get(_DATA_VERSION_TAG, "")
