"""What our automation conditions have in common: one tick, its events, and its candidates."""

from collections.abc import Callable, Hashable, Set
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import dagster as dg

_T = TypeVar("_T")

_known: WeakKeyDictionary[Any, dict[Hashable, Any]] = WeakKeyDictionary()
"""By what Dagster evaluates one tick with."""


def once_a_tick(
    context: "dg.AutomationContext[Any]", question: Hashable, ask: Callable[[], _T]
) -> _T:
    """The answer to `question`, asked for once: conditions ask the same in several places."""
    of_tick = _known.setdefault(context.asset_graph_view, {})
    if question not in of_tick:
        of_tick[question] = ask()
    return of_tick[question]


def end_of_tick(context: "dg.AutomationContext[Any]") -> int | None:
    """The number before which the events of this tick end, as Dagster counts them; None = open.

    Every event belongs to one tick: what comes while this one lasts, to the next.
    """
    newest = context.max_storage_id
    return None if newest is None else newest + 1


def among_candidates(
    context: "dg.AutomationContext[Any]", partitions: Set[str], cursor: str | None = None
) -> "dg.AutomationResult[Any]":
    """The result of a condition that found these partitions, of which some may be gone."""
    candidates = context.candidate_subset
    # Rare, and all candidates are many.
    there = partitions and partitions & candidates.expensively_compute_partition_keys()
    return dg.AutomationResult(
        context, candidates.compute_intersection_with_partition_keys({*there}), cursor=cursor
    )
