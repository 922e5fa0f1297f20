"""From JSON to the engine: everything that changes points.

Belongs here: reading write-requests into engine operations. Not here: applying them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge

from twd_local.qdrant_front.conditions import filter_of, point_id, point_ids
from twd_local.qdrant_front.errors import ApiError, bad_format, unsupported
from twd_local.qdrant_front.fields import Fields, as_list, as_object
from twd_local.qdrant_front.vectors import VectorSpaces, enum_member

Operation = edge.UpdateOperation


def upsert(body: Any, spaces: VectorSpaces) -> Operation:
    """Read an upsert, points as a list or in columns. Raises: ApiError."""
    fields = Fields(body, "upsert")
    if "batch" in fields:
        points = _columns(Fields(fields.take("batch"), "batch"))
    else:
        points = as_list(fields.need("points"), "points")
    mode = fields.take("update_mode")
    condition = filter_of(fields.take("update_filter"))
    fields.finish()
    return Operation.upsert_points(
        [spaces.point(point) for point in points],
        condition,
        None if mode is None else enum_member(edge.UpdateMode, mode, "update_mode"),
    )


def _columns(fields: Fields) -> list[Any]:
    ids = as_list(fields.need("ids"), "ids")
    vectors = fields.need("vectors")
    payloads = as_list(fields.take("payloads", [None] * len(ids)), "payloads")
    fields.finish()
    if isinstance(vectors, dict):
        named = {n: as_list(column, n) for n, column in as_object(vectors, "vectors").items()}
        if any(len(column) != len(ids) for column in named.values()):
            raise bad_format("number of ids and vectors must be equal")
        rows: list[Any] = [{n: c[i] for n, c in named.items()} for i in range(len(ids))]
    else:
        rows = as_list(vectors, "vectors")
    if not len(ids) == len(rows) == len(payloads):
        raise bad_format("number of ids, vectors and payloads must be equal")
    return [
        {"id": one, "vector": vector, "payload": payload}
        for one, vector, payload in zip(ids, rows, payloads, strict=True)
    ]


def delete(body: Any, _spaces: VectorSpaces) -> Operation:
    """Read a deletion by ids or by filter. Raises: ApiError."""
    fields = Fields(body, "delete request")
    ids, wanted = _selector(fields)
    fields.finish()
    if wanted is not None:
        return Operation.delete_points_by_filter(wanted)
    return Operation.delete_points(ids)


def set_payload(body: Any, _spaces: VectorSpaces) -> Operation:
    """Read the setting of payload keys. Raises: ApiError."""
    ids, wanted, payload, key = _payload(body)
    if wanted is not None:
        return Operation.set_payload_by_filter(wanted, payload, key)
    return Operation.set_payload(ids, payload, key)


def overwrite_payload(body: Any, _spaces: VectorSpaces) -> Operation:
    """Read the replacement of whole payloads. Raises: ApiError."""
    ids, wanted, payload, key = _payload(body)
    if wanted is not None:
        return Operation.overwrite_payload_by_filter(wanted, payload, key)
    return Operation.overwrite_payload(ids, payload, key)


def delete_payload(body: Any, _spaces: VectorSpaces) -> Operation:
    """Read the deletion of payload keys. Raises: ApiError."""
    fields = Fields(body, "delete payload request")
    keys = as_list(fields.need("keys"), "keys")
    ids, wanted = _selector(fields)
    fields.finish()
    if wanted is not None:
        return Operation.delete_payload_by_filter(wanted, keys)
    return Operation.delete_payload(ids, keys)


def clear_payload(body: Any, _spaces: VectorSpaces) -> Operation:
    """Read the emptying of payloads. Raises: ApiError."""
    fields = Fields(body, "clear payload request")
    ids, wanted = _selector(fields)
    fields.finish()
    if wanted is not None:
        return Operation.clear_payload_by_filter(wanted)
    return Operation.clear_payload(ids)


def update_vectors(body: Any, spaces: VectorSpaces) -> Operation:
    """Read new vectors for existing points. Raises: ApiError."""
    fields = Fields(body, "update vectors request")
    points: list[edge.PointVectors] = []
    for item in as_list(fields.need("points"), "points"):
        point = Fields(item, "point")
        one: Any = point_id(point.need("id"))
        points.append(edge.PointVectors(one, spaces.vector(point.need("vector"))))
        point.finish()
    condition = filter_of(fields.take("update_filter"))
    fields.finish()
    return Operation.update_vectors(points, condition)


def delete_vectors(body: Any, _spaces: VectorSpaces) -> Operation:
    """Read the deletion of named vectors. Raises: ApiError."""
    fields = Fields(body, "delete vectors request")
    names = as_list(fields.need("vector"), "vector")
    ids, wanted = _selector(fields)
    fields.finish()
    if wanted is not None:
        return Operation.delete_vectors_by_filter(wanted, names)
    return Operation.delete_vectors(ids, names)


READERS: dict[str, Callable[[Any, VectorSpaces], Operation]] = {
    "upsert": upsert,
    "delete": delete,
    "set_payload": set_payload,
    "overwrite_payload": overwrite_payload,
    "delete_payload": delete_payload,
    "clear_payload": clear_payload,
    "update_vectors": update_vectors,
    "delete_vectors": delete_vectors,
}


def batch(body: Any, spaces: VectorSpaces) -> list[Operation]:
    """Read a list of operations of mixed kinds. Raises: ApiError."""
    fields = Fields(body, "batch update")
    operations = as_list(fields.need("operations"), "operations")
    fields.finish()
    result: list[Operation] = []
    for item in operations:
        operation = as_object(item, "operation")
        if len(operation) != 1 or next(iter(operation)) not in READERS:
            raise unsupported(f"the operation {sorted(operation)}")
        kind, inner = next(iter(operation.items()))
        result.append(READERS[kind](inner, spaces))
    return result


def _payload(body: Any) -> tuple[list[Any], edge.Filter | None, Any, str | None]:
    fields = Fields(body, "set payload request")
    payload = as_object(fields.need("payload"), "payload")
    key = fields.take("key")
    ids, wanted = _selector(fields)
    fields.finish()
    return ids, wanted, payload, key


def _selector(fields: Fields) -> tuple[list[Any], edge.Filter | None]:
    # Ids win over a filter when both are given, as in the server.
    if "points" in fields:
        fields_filter = fields.take("filter")
        if fields_filter is not None:
            filter_of(fields_filter)
        return point_ids(fields.take("points")), None
    if "filter" in fields:
        return [], filter_of(fields.take("filter"))
    raise ApiError(400, "Bad request: Either list of points or filter must be provided")
