"""Automation conditions on an input: whether it has changed since the target last looked at it.

With each materialization Dagster tells how far the target saw of an input: the newest event of the
input when the step began. What was written after it under another data version, the target does
not know. Numbers of events are compared, so those of runs and of assets must be counted together,
as PostgreSQL does; Dagster's SQLite storage does not.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

import dagster as dg

from twd_shared.target_runs import runs_of_target

_VERSION_TAG = "dagster/data_version"
_SEEN_TAG = "dagster/input_event_pointer"
_PLANNED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
_LOOK_AGAIN_AFTER = timedelta(days=1)
_MOST_RECORDS = 1_000


class MissedByNewRunsOfTarget(dg.AutomationCondition[dg.AssetKey]):
    """True of partitions that the newest materialization of the target does not know as they are.

    Only of partitions of which the target was written since the tick before: Dagster takes that for
    an answer to all that changed until then.
    """

    def evaluate(self, context: "dg.AutomationContext[Any]") -> "dg.AutomationResult[Any]":
        """The partitions among the candidates."""
        previous = context.previous_temporal_context
        if not _is_of_partitions(context) or previous is None:
            return dg.AutomationResult(context, context.get_empty_subset())
        view, target = context.asset_graph_view, context.root_context.key
        # Each time anew: what Dagster sees of the target now must be seen here too.
        written = _newest(view.instance, target, after=previous.last_event_id)
        if not written:
            return dg.AutomationResult(context, context.get_empty_subset())
        seen = _missed_in_tick.setdefault(view, {})
        key = (target, context.key, max(written.values()))
        if key not in seen:
            seen[key] = frozenset(_missed(view.instance, target, context.key, written))
        return _result(context, seen[key])


_missed_in_tick: WeakKeyDictionary[Any, dict[tuple[Any, Any, int], frozenset[str]]] = (
    WeakKeyDictionary()
)
"""By what Dagster evaluates one tick with: a condition asks the same in several places."""


class AheadOfTarget(dg.AutomationCondition[dg.AssetKey]):
    """True of partitions that the target does not know as they are, or that it was never made of.

    All partitions are compared when the condition is evaluated for the first time, and then once a
    day; in between it is false. Dagster's own conditions look at what came since the tick before.
    They forget what was pending when a deploy changes a condition or a tick dies while it submits
    runs, and they overlook an event that was not yet visible when its number was passed. What the
    first run of the target is still to write is not ahead of it.
    """

    def evaluate(self, context: "dg.AutomationContext[Any]") -> "dg.AutomationResult[Any]":
        """The partitions among the candidates."""
        nothing = context.get_empty_subset()
        now = context.evaluation_time.timestamp()
        looked = context.cursor
        is_due = looked is None or now - float(looked) >= _LOOK_AGAIN_AFTER.total_seconds()
        if not _is_of_partitions(context) or not is_due:
            return dg.AutomationResult(context, nothing, cursor=looked)
        instance, target = context.asset_graph_view.instance, context.root_context.key
        written = _newest(instance, target)
        ahead = {*_missed(instance, target, context.key, written)}
        ahead |= _never_seen(context, written)
        return _result(context, ahead, cursor=str(now))


def _is_of_partitions(context: "dg.AutomationContext[Any]") -> bool:
    candidates = context.candidate_subset
    return (
        not candidates.is_empty
        and candidates.is_partitioned
        # What depends on itself is never behind itself.
        and context.root_context.key != context.key
    )


def _result(
    context: "dg.AutomationContext[Any]", partitions: Set[str], cursor: str | None = None
) -> "dg.AutomationResult[Any]":
    candidates = context.candidate_subset
    # Rare. A partition may be gone that was written once.
    there = partitions and partitions & candidates.expensively_compute_partition_keys()
    return dg.AutomationResult(
        context, candidates.compute_intersection_with_partition_keys({*there}), cursor=cursor
    )


def _missed(
    instance: dg.DagsterInstance,
    target: dg.AssetKey,
    asset: dg.AssetKey,
    written: Mapping[str, int],
) -> Iterator[str]:
    """The partitions of an input that changed after the target had looked at them.

    `written` holds each partition of the target with the number of its newest event.
    """
    for partition in _perhaps_missed(instance, target, asset, written):
        event = written[partition]
        of = dg.AssetRecordsFilter(asset_key=target, storage_ids=[event])
        tags = [_tags(one) for one in instance.fetch_materializations(of, 1).records]
        # What was reported from outside tells nothing, and knows what was there before it.
        told = tags[0].get(f"{_SEEN_TAG}/{asset.to_user_string()}", str(event)) if tags else "0"
        seen = int(told) if told.isdecimal() else 0
        if _has_changed(instance, asset, partition, seen):
            yield partition


def _perhaps_missed(
    instance: dg.DagsterInstance,
    target: dg.AssetKey,
    asset: dg.AssetKey,
    written: Mapping[str, int],
) -> Iterator[str]:
    """Leaves out, with a few queries for all, what the target surely knows."""
    partitions = {*written} if len(written) <= _MOST_RECORDS else None
    newest = _newest(instance, asset, partitions)
    planned = _newest(instance, target, partitions, _PLANNED)
    late = [
        partition
        for partition, event in written.items()
        # Here before the run was, that wrote the target; unless another was planned since.
        if partition in newest and not newest[partition] < planned.get(partition, 0) < event
    ]
    by_runs = _runs(instance, asset, [newest[partition] for partition in late])
    target_runs = _runs(instance, target, [written[partition] for partition in late])
    for partition in late:
        run_id = target_runs.get(written[partition], "")
        # A run writes the target after its inputs.
        if not run_id or by_runs.get(newest[partition]) != run_id:
            yield partition


def _has_changed(instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str, at: int) -> bool:
    """Whether a partition was written under another version after an event than at it."""

    def versions(most: int, *, after: int | None = None, before: int | None = None) -> set[str]:
        of = dg.AssetRecordsFilter(
            asset_key=asset,
            asset_partitions=[partition],
            after_storage_id=after,
            before_storage_id=before,
        )
        records = instance.fetch_materializations(of, most).records
        return {_tags(one).get(_VERSION_TAG, "") for one in records}

    return bool(versions(_MOST_RECORDS, after=at) - versions(1, before=at + 1) - {""})


def _never_seen(context: "dg.AutomationContext[Any]", written: Mapping[str, int]) -> set[str]:
    """The partitions of which there is no target yet, and no run that writes both."""
    instance = context.asset_graph_view.instance
    events = {
        event: partition
        for partition, event in _newest(instance, context.key).items()
        if partition not in written
    }
    runs = _runs(instance, context.key, sorted(events))
    of_target = runs_of_target(context, {*runs.values()} - {""})
    return {events[event] for event, run_id in runs.items() if run_id not in of_target}


def _newest(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    partitions: set[str] | None = None,
    kind: dg.DagsterEventType = dg.DagsterEventType.ASSET_MATERIALIZATION,
    *,
    after: int | None = None,
) -> Mapping[str, int]:
    """Each partition with the number of its newest event, if that is a later one."""
    return instance.get_latest_storage_id_by_partition(asset, kind, partitions, after)


def _runs(
    instance: dg.DagsterInstance, asset: dg.AssetKey, events: Sequence[int]
) -> Mapping[int, str]:
    """Each event with its run; '' if it was reported from outside."""
    return {
        record.storage_id: record.run_id or ""
        for start in range(0, len(events), _MOST_RECORDS)
        for record in instance.get_asset_event_summary_records(
            dg.DagsterEventType.ASSET_MATERIALIZATION,
            asset_key=asset,
            storage_ids=events[start : start + _MOST_RECORDS],
        )
    }


def _tags(record: dg.EventLogRecord) -> Mapping[str, str]:
    made = record.asset_materialization
    return (made and made.tags) or {}
