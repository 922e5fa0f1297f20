"""Strict mode: the reads that a collection refuses.

Belongs here: filters on payload keys without an index, which Qdrant Cloud refuses in every new
collection. Other limits are kept and reported, and change nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from twd_local.qdrant_front.errors import ApiError
from twd_local.qdrant_front.fields import Json

_COMPARISONS = frozenset(("match", "range", "values_count", "geo_radius", "geo_bounding_box"))


def refuse_unindexed(config: Json | None, indexes: Collection[str], body: Any) -> None:
    """Refuse a body that filters by a key without an index, where that is off. Raises: ApiError."""
    if not config or not config.get("enabled"):
        return
    if config.get("unindexed_filtering_retrieve") is not False:
        return
    for key in _filtered_keys(body):
        if key not in indexes:
            raise ApiError(
                400,
                f'Bad request: Index required but not found for "{key}". '
                "Help: Create an index for this key or use a different filter.",
            )


def _filtered_keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "key" in value and not _COMPARISONS.isdisjoint(value):
            yield value["key"]
        for one in value.values():
            yield from _filtered_keys(one)
    elif isinstance(value, list):
        for one in value:
            yield from _filtered_keys(one)
