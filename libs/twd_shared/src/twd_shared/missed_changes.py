"""Automation conditions on an input: whether it has changed since the target last looked at it.

With each materialization Dagster tells how far the target saw of an input: the newest event of the
input when the step began. What was written after it under another data version, the target does
not know. Numbers of events are compared, so those of runs and of assets must be counted together,
as PostgreSQL does; Dagster's SQLite storage does not.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import timedelta
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import dagster as dg

from twd_shared.target_runs import runs_of_target

_VERSION_TAG = "dagster/data_version"
_SEEN_TAG = "dagster/input_event_pointer"
_EVENT = "event"
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
        of_tick = _new_writes.setdefault(view, {})
        if target not in of_tick:
            of_tick[target] = _Writes(
                view.instance, target, previous.last_event_id, context.max_storage_id
            )
        return _result(context, of_tick[target].missed(context.key))


class _Writes:
    """What a tick sees newly written of a target; each fact is asked for once."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        target: dg.AssetKey,
        after: int | None,
        until: int | None,
    ) -> None:
        self._instance = instance
        self._target = target
        self._events = {
            record.partition: record.storage_id
            for record in instance.get_asset_event_summary_records(
                dg.DagsterEventType.ASSET_MATERIALIZATION,
                asset_key=target,
                after_storage_id=after,
                # Every event belongs to one tick: what comes while this one lasts, to the next.
                before_storage_id=None if until is None else until + 1,
                ascending=True,
            )
            if record.partition is not None
        }
        self._missed: dict[dg.AssetKey, frozenset[str]] = {}

    @cached_property
    def _told(self) -> Mapping[str, Mapping[str, str]]:
        return _told_by(self._instance, self._target, self._events)

    def missed(self, asset: dg.AssetKey) -> frozenset[str]:
        """The partitions of an input that the target does not know as they are."""
        if not self._events:
            return frozenset()
        if asset not in self._missed:
            self._missed[asset] = frozenset(_missed(self._instance, asset, self._told))
        return self._missed[asset]


_new_writes: WeakKeyDictionary[Any, dict[dg.AssetKey, _Writes]] = WeakKeyDictionary()
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
        perhaps = _perhaps_missed(instance, target, context.key, written)
        told = _told_by(instance, target, {partition: written[partition] for partition in perhaps})
        ahead = {*_missed(instance, context.key, told), *_never_seen(context, written)}
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


def _told_by(
    instance: dg.DagsterInstance, target: dg.AssetKey, events: Mapping[str, int]
) -> Mapping[str, Mapping[str, str]]:
    """The tags of the target's materialization of each partition, and its number as `_EVENT`."""
    told: dict[str, Mapping[str, str]] = {}
    for some in _portions([*events.values()]):
        of = dg.AssetRecordsFilter(asset_key=target, storage_ids=some)
        for record in instance.fetch_materializations(of, len(some)).records:
            told[str(record.partition_key)] = {**_tags(record), _EVENT: str(record.storage_id)}
    return told


def _missed(
    instance: dg.DagsterInstance, asset: dg.AssetKey, told: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """The partitions of an input that changed after the target had looked at them."""
    newest = _newest(instance, asset, {*told} if len(told) <= _MOST_RECORDS else None)
    for partition, tags in told.items():
        # What was reported from outside tells nothing, and knows what was there before it.
        event = tags.get(f"{_SEEN_TAG}/{asset.to_user_string()}", tags[_EVENT])
        seen = int(event) if event.isdecimal() else 0
        if newest.get(partition, 0) > seen and _has_changed(instance, asset, partition, seen):
            yield partition


def _perhaps_missed(
    instance: dg.DagsterInstance,
    target: dg.AssetKey,
    asset: dg.AssetKey,
    written: Mapping[str, int],
) -> Iterator[str]:
    """Leaves out, with a few queries for all, what the target surely knows."""
    newest = _newest(instance, asset)
    planned = _newest(instance, target, kind=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
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
) -> Mapping[str, int]:
    """Each partition, or each of these, with the number of its newest event."""
    return instance.get_latest_storage_id_by_partition(asset, kind, partitions)


def _runs(
    instance: dg.DagsterInstance, asset: dg.AssetKey, events: Sequence[int]
) -> Mapping[int, str]:
    """Each event with its run; '' if it was reported from outside."""
    return {
        record.storage_id: record.run_id or ""
        for some in _portions(events)
        for record in instance.get_asset_event_summary_records(
            dg.DagsterEventType.ASSET_MATERIALIZATION, asset_key=asset, storage_ids=some
        )
    }


def _portions(events: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(events), _MOST_RECORDS):
        yield events[start : start + _MOST_RECORDS]


def _tags(record: dg.EventLogRecord) -> Mapping[str, str]:
    made = record.asset_materialization
    return (made and made.tags) or {}
