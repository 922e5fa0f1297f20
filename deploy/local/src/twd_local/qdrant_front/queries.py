"""From JSON to the engine: queries with prefetches and fusion, legacy searches, scrolls.

Belongs here: reading read-requests. Not here: running them (`collection.py`), filters.
"""

from __future__ import annotations

from typing import Any, cast

import qdrant_edge as edge

from twd_local.qdrant_front.conditions import (
    filter_of,
    payload_selector,
    point_id,
    vector_selector,
    without_ids,
)
from twd_local.qdrant_front.errors import (
    ApiError,
    bad_format,
    invalid,
    not_found,
    unsupported,
    wrong_input,
)
from twd_local.qdrant_front.fields import Fields, Json, as_object
from twd_local.qdrant_front.vectors import VectorSpaces, enum_member

# Search is exact: these only trade accuracy for speed.
_TUNING = ("hnsw_ef", "exact", "quantization", "indexed_only", "acorn")
_RRF_K = 2  # The server's default.
_DIVERSITY = 0.5  # The server's default.


class QueryReader:
    """Reads query requests against one collection, looking up points that stand for vectors."""

    def __init__(self, spaces: VectorSpaces, shard: edge.EdgeShard) -> None:
        self._spaces = spaces
        self._shard = shard

    def query(self, fields: Fields) -> edge.QueryRequest:
        """Read the body of a query; the caller finishes `fields`. Raises: ApiError."""
        limit = fields.integer("limit", 10, minimum=1)
        scoring, wanted, prefetches = self._scoring(fields, limit)
        if prefetches and scoring is None:
            raise ApiError(
                400,
                "Bad request: A query is needed to merge the prefetches. "
                "Can't have prefetches without defining a query.",
            )
        if isinstance(scoring, (edge.Fusion.Rrf, edge.Fusion.Dbsf)) and not prefetches:
            raise ApiError(400, "Bad request: cannot apply Fusion without prefetches")
        return edge.QueryRequest(
            limit=limit,
            offset=fields.integer("offset", 0),
            query=cast(Any, scoring),
            prefetches=prefetches,
            filter=wanted,
            score_threshold=_threshold(fields),
            with_vector=vector_selector(fields.take("with_vector")),
            with_payload=payload_selector(fields.take("with_payload"), False),
        )

    def search(self, fields: Fields) -> edge.QueryRequest:
        """Read the body of a legacy search (one vector, perhaps named). Raises: ApiError."""
        vector = fields.need("vector")
        if isinstance(vector, dict):
            named = Fields(vector, "vector")
            name, numbers = named.text("name"), named.need("vector")
            named.finish()
        else:
            name, numbers = "", vector
        _tuning(fields)
        return edge.QueryRequest(
            limit=fields.integer("limit", 0, minimum=1),
            offset=fields.integer("offset", 0),
            query=edge.Query.Nearest(self._spaces.single(numbers, name), using=name),
            filter=filter_of(fields.take("filter")),
            score_threshold=_threshold(fields),
            with_vector=vector_selector(fields.take("with_vector")),
            with_payload=payload_selector(fields.take("with_payload"), False),
        )

    def _scoring(
        self, fields: Fields, limit: int
    ) -> tuple[Any, edge.Filter | None, list[edge.Prefetch]]:
        raw = fields.take("prefetch", [])
        prefetches = [
            self._prefetch(item)
            for item in (cast("list[Any]", raw) if isinstance(raw, list) else [raw])
        ]
        used_ids: list[Any] = []
        scoring = self._query(fields.take("query"), fields.take("using", ""), used_ids, limit)
        wanted = without_ids(filter_of(fields.take("filter")), used_ids)
        _tuning(fields)
        return scoring, wanted, prefetches

    def _prefetch(self, value: Any) -> edge.Prefetch:
        fields = Fields(value, "prefetch")
        limit = fields.integer("limit", 10, minimum=1)
        scoring, wanted, prefetches = self._scoring(fields, limit)
        result = edge.Prefetch(
            limit=limit,
            query=scoring,
            prefetches=prefetches,
            filter=wanted,
            score_threshold=_threshold(fields),
        )
        fields.finish()
        return result

    def _query(self, value: Any, using: str, used_ids: list[Any], limit: int) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict) or "indices" in value:
            return self._nearest(value, using, used_ids)
        fields = Fields(value, "query")
        result: Any
        if "nearest" in fields:
            nearest = fields.take("nearest")
            result = (
                self._diverse(nearest, fields.take("mmr"), using, used_ids, limit)
                if "mmr" in fields
                else self._nearest(nearest, using, used_ids)
            )
        elif "order_by" in fields:
            result = order_by(fields.take("order_by"))
        elif "fusion" in fields:
            kind = fields.text("fusion")
            if kind not in ("rrf", "dbsf"):
                raise bad_format(f"unknown variant `{kind}`, expected `rrf` or `dbsf`")
            result = edge.Fusion.Rrf(_RRF_K) if kind == "rrf" else edge.Fusion.Dbsf()
        elif "rrf" in fields:
            inner = Fields(fields.take("rrf"), "rrf")
            result = edge.Fusion.Rrf(inner.integer("k", _RRF_K, minimum=1), inner.take("weights"))
            inner.finish()
        elif "sample" in fields:
            result = enum_member(edge.Sample, fields.take("sample"), "sample")
        elif "model" in fields:
            raise unsupported("inference: send vectors, not text or images")
        else:
            raise unsupported(f"the query {sorted(as_object(value, 'query'))}")
        fields.finish()
        return result

    def _nearest(self, value: Any, using: str, used_ids: list[Any]) -> edge.Query:
        return edge.Query.Nearest(self._vector(value, using, used_ids), using=using)

    def _diverse(
        self, value: Any, mmr: Any, using: str, used_ids: list[Any], limit: int
    ) -> edge.Mmr:
        fields = Fields(mmr, "mmr")
        diversity = fields.take("diversity", _DIVERSITY)
        if type(diversity) not in (int, float):
            raise bad_format("diversity: expected a number")
        if not 0 <= diversity <= 1:
            raise invalid("diversity", f"value {diversity} invalid, must be from 0.0 to 1.0")
        candidates = fields.integer("candidates_limit", limit)
        fields.finish()
        # The engine weighs likeness to the query, the server what is left for diversity.
        return edge.Mmr(self._vector(value, using, used_ids), 1 - diversity, candidates, using)

    def _vector(self, value: Any, using: str, used_ids: list[Any]) -> Any:
        if isinstance(value, (int, str)):
            identifier = point_id(value)
            used_ids.append(identifier)
            return self._vector_of(identifier, using)
        return self._spaces.single(value, using)

    def _vector_of(self, identifier: Any, using: str) -> Any:
        records = self._shard.retrieve([identifier], False, True)
        if not records:
            raise not_found(f"No point with id {identifier} found")
        vector: Any = records[0].vector
        if isinstance(vector, dict):
            vector = cast(Json, vector).get(using)
        elif using:
            vector = None
        if vector is None:
            raise wrong_input(f"Vector {using or 'default'} not found in point {identifier}")
        return vector


def order_by(value: Any) -> edge.OrderBy:
    """Read `order_by`: a key, or an object with direction and start. Raises: ApiError 400."""
    fields = Fields({"key": value} if isinstance(value, str) else value, "order_by")
    direction = fields.take("direction")
    result = edge.OrderBy(
        fields.text("key"),
        None if direction is None else enum_member(edge.Direction, direction, "direction"),
        fields.take("start_from"),
    )
    fields.finish()
    return result


def scroll(value: Any) -> edge.ScrollRequest:
    """Read the body of a scroll. Raises: ApiError 400, 422."""
    fields = Fields(value, "scroll request")
    offset = fields.take("offset")
    order = fields.take("order_by")
    if offset is not None and order is not None:
        raise ApiError(
            400,
            "Bad request: Cannot use an `offset` when using `order_by`. "
            "The alternative for paging is to use `order_by.start_from` and a filter",
        )
    result = edge.ScrollRequest(
        offset=None if offset is None else cast(Any, point_id(offset)),
        limit=fields.integer("limit", 10, minimum=1),
        filter=filter_of(fields.take("filter")),
        with_payload=payload_selector(fields.take("with_payload"), True),
        with_vector=vector_selector(fields.take("with_vector")),
        order_by=None if order is None else order_by(order),
    )
    fields.finish()
    return result


def _tuning(fields: Fields) -> None:
    params = Fields(fields.take("params", {}), "params")
    for name in _TUNING:
        params.take(name)
    params.finish()


def _threshold(fields: Fields) -> float | None:
    value = fields.take("score_threshold")
    if value is not None and type(value) not in (int, float):
        raise bad_format("score_threshold: expected a number")
    return value
