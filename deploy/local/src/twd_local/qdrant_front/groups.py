"""Query results in groups of equal payload value, which the engine itself does not offer.

Belongs here: grouping. Not here: the query that is grouped.
"""

from __future__ import annotations

from typing import Any, cast

import qdrant_edge as edge

from twd_local.qdrant_front.answers import scored_point
from twd_local.qdrant_front.collection import Collection
from twd_local.qdrant_front.fields import Fields, Json
from twd_local.qdrant_front.queries import QueryReader


def query_groups(collection: Collection, body: Any) -> Json:
    """Return the best `limit` groups with their best `group_size` hits. Raises: ApiError.

    Reads further and further down the ranking until the groups are full or the points are used up,
    so the result is the exact one.
    """
    fields = Fields(body, "query groups request")
    key = fields.text("group_by")
    size = fields.integer("group_size", 3, minimum=1)
    limit = fields.integer("limit", 10, minimum=1)
    reader = QueryReader(collection.spaces, collection.shard)
    request = reader.query(fields)
    fields.finish()
    depth = limit * size
    while True:
        hits = collection.shard.query(_deeper(request, depth))
        groups = _group(hits, key, size, limit)
        full = len(groups) == limit and all(len(members) == size for members in groups.values())
        if full or len(hits) < depth:
            break
        depth *= 4
    ids = [point.id for members in groups.values() for point in members]
    shown: dict[Any, edge.Record] = {
        one.id: one
        for one in collection.shard.retrieve(ids, request.with_payload, request.with_vector)
    }
    return {
        "groups": [
            {"id": value, "hits": [_hit(point, shown[point.id]) for point in members]}
            for value, members in groups.items()
        ]
    }


def _deeper(request: edge.QueryRequest, depth: int) -> edge.QueryRequest:
    return edge.QueryRequest(
        limit=depth,
        query=request.query,
        prefetches=request.prefetches,
        filter=request.filter,
        score_threshold=request.score_threshold,
        with_vector=False,
        with_payload=True,
    )


def _group(
    hits: list[edge.ScoredPoint], key: str, size: int, limit: int
) -> dict[Any, list[edge.ScoredPoint]]:
    groups: dict[Any, list[edge.ScoredPoint]] = {}
    for point in hits:
        for value in _values(point.payload, key.split(".")):
            if value not in groups and len(groups) == limit:
                continue
            members = groups.setdefault(value, [])
            if len(members) < size:
                members.append(point)
    return groups


def _values(node: Any, path: list[str]) -> list[Any]:
    for step in path:
        node = cast(Json, node).get(step) if isinstance(node, dict) else None
    items = cast("list[Any]", node) if isinstance(node, list) else [node]
    # Only these can name a group; a point counts once per distinct value.
    return list(dict.fromkeys(one for one in items if type(one) in (str, int)))


def _hit(point: edge.ScoredPoint, shown: edge.Record) -> Json:
    result = scored_point(point)
    result["payload"] = shown.payload
    if shown.vector is not None:
        result["vector"] = shown.vector
    return result
