"""Automation conditions on an input: whether it has changed since the target last looked at it."""

from collections.abc import Iterator, Set
from datetime import timedelta
from typing import Any, NamedTuple

import dagster as dg
import msgspec

from twd_shared.condition_ticks import among_candidates, end_of_tick, once_a_tick
from twd_shared.input_knowledge import InputState, newest, written_at
from twd_shared.run_requests import IN_FLIGHT
from twd_shared.target_runs import runs_of_target

_LOOK_AGAIN_SECONDS = timedelta(days=1).total_seconds()
_PARTITIONS_A_LOOK = 200
# A run takes up to two seconds to be queued, and a tick a minute at most.
_REQUESTS_A_LOOK = 12


class MissedByNewRunsOfTarget(dg.AutomationCondition[dg.AssetKey]):
    """True of partitions that the newest materialization of the target does not know as they are.

    Only of partitions of which the target was written since the tick before: Dagster takes that for
    an answer to all that changed until then.
    """

    def evaluate(self, context: "dg.AutomationContext[Any]") -> "dg.AutomationResult[Any]":
        """The partitions among the candidates."""
        previous = context.previous_temporal_context
        if not _is_comparable(context) or previous is None:
            return dg.AutomationResult(context, context.get_empty_subset())
        view, target = context.asset_graph_view, context.root_context.key
        writes = once_a_tick(
            context,
            (_Writes, target),
            lambda: _Writes(view.instance, target, previous.last_event_id, end_of_tick(context)),
        )
        return among_candidates(context, writes.missed(context.key))


class _Writes:
    """What a tick sees newly written of a target; each fact is asked for once."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        target: dg.AssetKey,
        after: int | None,
        before: int | None,
    ) -> None:
        self._instance = instance
        events = {
            record.partition: record.storage_id
            for record in instance.get_asset_event_summary_records(
                dg.DagsterEventType.ASSET_MATERIALIZATION,
                asset_key=target,
                after_storage_id=after,
                before_storage_id=before,
                ascending=True,
            )
            if record.partition is not None
        }
        self._written = written_at(instance, target, events.values())
        self._missed: dict[dg.AssetKey, frozenset[str]] = {}

    def missed(self, asset: dg.AssetKey) -> frozenset[str]:
        """The partitions of an input that the target does not know as they are."""
        if asset not in self._missed:
            self._missed[asset] = frozenset(self._missed_of(asset))
        return self._missed[asset]

    def _missed_of(self, asset: dg.AssetKey) -> Iterator[str]:
        for partition, now in newest(self._instance, asset, self._written).items():
            state = InputState(self._instance, asset, partition, self._written[partition], now)
            if state.has_changed() or state.went_to_and_fro():
                yield partition


class AheadOfTarget(dg.AutomationCondition[dg.AssetKey]):
    """True of partitions that the target does not know as they are, or that it was never made of.

    All partitions are compared when the condition is evaluated for the first time, and then once a
    day, some in each tick; in between it is false. Dagster's own conditions look at what came since
    the tick before. They forget what was pending when a deploy changes a condition or a tick dies
    while it submits runs, and they overlook an event that was not yet visible when its number was
    passed. What a run that goes on is still to write is not ahead of it.
    """

    def evaluate(self, context: "dg.AutomationContext[Any]") -> "dg.AutomationResult[Any]":
        """The partitions among the candidates."""
        if not _is_comparable(context):
            return dg.AutomationResult(context, context.get_empty_subset(), cursor=context.cursor)
        place = (_Look, context.root_context.key, context.key)
        look = once_a_tick(context, place, lambda: _look(context))
        return among_candidates(context, look.ahead, cursor=look.cursor)


class _Cursor(msgspec.Struct):
    """When all partitions were begun to be compared (Unix seconds), and after which to go on."""

    begun: float
    after: str | None


class _Look(NamedTuple):
    """The partitions that one tick found, and the cursor for the next."""

    ahead: Set[str]
    cursor: str


def _look(context: "dg.AutomationContext[Any]") -> _Look:
    """Compare the next partitions, if there is anything to compare now."""
    now = context.evaluation_time.timestamp()
    cursor = msgspec.json.decode(context.cursor, type=_Cursor) if context.cursor else None
    if cursor is None or (cursor.after is None and now - cursor.begun >= _LOOK_AGAIN_SECONDS):
        cursor = _Cursor(now, "")
    if cursor.after is None:
        return _Look(frozenset(), msgspec.json.encode(cursor).decode())
    partitions = sorted(
        partition
        for partition in context.candidate_subset.expensively_compute_partition_keys()
        if partition > cursor.after
    )
    looked_at = partitions[:_PARTITIONS_A_LOOK]
    ahead = sorted(_ahead(context, looked_at))
    if len(ahead) > _REQUESTS_A_LOOK:
        ahead = ahead[:_REQUESTS_A_LOOK]
        looked_at = partitions[: partitions.index(ahead[-1]) + 1]
    cursor.after = looked_at[-1] if len(looked_at) < len(partitions) else None
    return _Look(frozenset(ahead), msgspec.json.encode(cursor).decode())


def _ahead(context: "dg.AutomationContext[Any]", partitions: list[str]) -> set[str]:
    instance = context.asset_graph_view.instance
    target, asset = context.root_context.key, context.key
    # Before the target: a run that ends meanwhile has written it by then.
    inputs = newest(instance, asset, partitions)
    made = newest(instance, target, inputs)
    ahead = {
        partition: one
        for partition, one in inputs.items()
        if partition not in made
        or InputState(instance, asset, partition, made[partition], one).has_changed()
    }
    runs = {one.run_id for one in ahead.values()} - {""}
    going_on = runs_of_target(context, runs, IN_FLIGHT)
    return {partition for partition, one in ahead.items() if one.run_id not in going_on}


def _is_comparable(context: "dg.AutomationContext[Any]") -> bool:
    candidates = context.candidate_subset
    return (
        not candidates.is_empty
        and candidates.is_partitioned
        # What depends on itself is never behind itself.
        and context.root_context.key != context.key
    )
