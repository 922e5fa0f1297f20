"""From the engine to JSON: points, vectors, ids.

Belongs here: the shape of single results. Not here: envelopes and status codes (`app.py`).
"""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import qdrant_edge as edge

from twd_local.qdrant_front.fields import Json


def identifier(value: Any) -> int | str:
    """Return a point id as JSON has it."""
    return str(value) if isinstance(value, UUID) else value


def scored_point(point: edge.ScoredPoint) -> Json:
    """Return one hit of a query."""
    result: Json = {
        "id": identifier(point.id),
        "version": point.version,
        "score": point.score,
        "payload": point.payload,
    }
    return _optional(result, point)


def record(point: edge.Record) -> Json:
    """Return one point of a scroll or of a look-up by id."""
    return _optional({"id": identifier(point.id), "payload": point.payload}, point)


def _optional(result: Json, point: edge.ScoredPoint | edge.Record) -> Json:
    if point.vector is not None:
        result["vector"] = _vector(point.vector)
    if point.order_value is not None:
        result["order_value"] = point.order_value
    return result


def _vector(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _vector(one) for name, one in cast(Json, value).items()}
    if isinstance(value, edge.SparseVector):
        sparse = cast(Any, value)  # Its type stub forgets both attributes.
        return {"indices": list(sparse.indices), "values": list(sparse.values)}
    return value
