"""An automation condition on an input: whether it was written by runs of the target itself."""

from collections.abc import Sequence, Set
from typing import Any

import dagster as dg

from twd_shared.condition_ticks import among_candidates, end_of_tick
from twd_shared.run_requests import assets_of

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
                before_storage_id=end_of_tick(context),
            ),
            # Each partition is written once between two ticks, or a few times.
            limit=min(10 * len(partitions), _MOST_RECORDS),
        ).records
        runs_of: dict[str, set[str]] = {}
        for record in records:
            runs_of.setdefault(str(record.partition_key), set()).add(record.run_id)
        of_target = runs_of_target(context, set[str]().union(*runs_of.values()))
        return among_candidates(
            context, {partition for partition, runs in runs_of.items() if runs <= of_target}
        )


def runs_of_target(
    context: "dg.AutomationContext[Any]",
    run_ids: Set[str],
    statuses: Sequence[dg.DagsterRunStatus] = (),
) -> set[str]:
    """Those of the runs that select the asset whose condition is evaluated; () = in any status."""
    target = context.root_context.key
    # What depends on itself is not explained by its own runs.
    if not run_ids or target == context.key:
        return set()
    instance = context.asset_graph_view.instance
    runs = instance.get_runs(dg.RunsFilter(run_ids=sorted(run_ids), statuses=statuses))
    return {run.run_id for run in runs if target in assets_of(run, instance)}
