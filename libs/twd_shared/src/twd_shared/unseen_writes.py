"""An automation condition: whether something was written that the tick does not see yet."""

from typing import Any

import dagster as dg


class WrittenSinceTickBegan(dg.AutomationCondition[dg.AssetKey]):
    """True of partitions that were written after the last event that the tick looks at.

    What has changed is judged by the events until then, whether a run goes on by what is true now,
    seconds later. Of a run that ends in between the tick sees neither: it would ask for the target
    once more, or for one input of several. It has to be asked after the conditions on runs.
    """

    def evaluate(self, context: "dg.AutomationContext[Any]") -> "dg.AutomationResult[Any]":
        """The partitions among the candidates."""
        candidates, last = context.candidate_subset, context.max_storage_id
        if candidates.is_empty or not candidates.is_partitioned or last is None:
            return dg.AutomationResult(context, context.get_empty_subset())
        written = {
            record.partition
            for record in context.asset_graph_view.instance.get_asset_event_summary_records(
                dg.DagsterEventType.ASSET_MATERIALIZATION,
                asset_key=context.key,
                after_storage_id=last,
            )
            if record.partition is not None
        }
        there = written and written & candidates.expensively_compute_partition_keys()
        return dg.AutomationResult(
            context, candidates.compute_intersection_with_partition_keys({*there})
        )
