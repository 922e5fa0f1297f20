"""An automation condition: whether something was written that the tick does not see yet."""

from collections.abc import Set
from typing import Any

import dagster as dg

from twd_shared.condition_ticks import among_candidates, once_a_tick


class WrittenSinceTickBegan(dg.AutomationCondition[dg.AssetKey]):
    """True of partitions that were written after the last event that the tick looks at.

    What has changed is judged by the events until then, whether a run goes on by what is true
    seconds later. Of a run that ends in between the tick sees neither: it would ask for the target
    once more, or for one input of several. It has to be asked after the conditions on runs.
    """

    @property
    def requires_cursor(self) -> bool:
        """It looks at this tick alone."""
        return False

    def evaluate(self, context: "dg.AutomationContext[Any]") -> "dg.AutomationResult[Any]":
        """The partitions among the candidates."""
        candidates, last = context.candidate_subset, context.max_storage_id
        if candidates.is_empty or not candidates.is_partitioned or last is None:
            return dg.AutomationResult(context, context.get_empty_subset())
        instance, asset = context.asset_graph_view.instance, context.key
        # What one target waits for, the next does too.
        written = once_a_tick(
            context, (_written_after, asset), lambda: _written_after(instance, asset, last)
        )
        return among_candidates(context, written)


def _written_after(instance: dg.DagsterInstance, asset: dg.AssetKey, event: int) -> Set[str]:
    records = instance.get_asset_event_summary_records(
        dg.DagsterEventType.ASSET_MATERIALIZATION, asset_key=asset, after_storage_id=event
    )
    return {record.partition for record in records if record.partition is not None}
