"""Vectors and vector spaces: the schema of a collection, and the check of what comes in.

Belongs here: everything about vector names, sizes and kinds. Not here: queries.

Points are checked here and not left to the engine: when a batch fails inside the engine, the points
before the faulty one have been written already.
"""

from __future__ import annotations

from typing import Any, cast

import qdrant_edge as edge

from twd_local.qdrant_front.conditions import point_id
from twd_local.qdrant_front.errors import bad_format, unsupported, wrong_input
from twd_local.qdrant_front.fields import Fields, Json, as_list, as_object


def enum_member(enum: Any, value: Any, field: str) -> Any:
    """Return the member of an engine enum by the server's spelling. Raises: ApiError 400."""
    wanted = str(value).replace("_", "").lower()
    for name in dir(enum):
        if not name.startswith("_") and name.lower() == wanted:
            return getattr(enum, name)
    raise bad_format(f"{field}: unknown variant `{value}`")


class VectorSpaces:
    """The vector spaces of one collection: name → size (None for a sparse one)."""

    def __init__(self, vectors: Any, sparse_vectors: Any) -> None:
        """Read the `vectors` and `sparse_vectors` of a create request. Raises: ApiError."""
        dense = as_object(vectors or {}, "vectors")
        if "size" in dense and not isinstance(dense["size"], dict):
            dense = {"": dense}
        sparse = as_object(sparse_vectors or {}, "sparse_vectors")
        self.multi: set[str] = set()
        self.sizes: dict[str, int | None] = dict.fromkeys(sparse)
        self.dense = {name: self._dense(name, params) for name, params in dense.items()}
        self.sparse = {name: self._sparse(params) for name, params in sparse.items()}

    def _dense(self, name: str, params: Any) -> edge.EdgeVectorParams:
        fields = Fields(params, f"the parameters of vector `{name}`")
        size = fields.integer("size", 0, minimum=1)
        distance = enum_member(edge.Distance, fields.need("distance"), "distance")
        multi: edge.MultiVectorConfig | None = None
        if "multivector_config" in fields:
            inner = Fields(fields.take("multivector_config"), "multivector_config")
            multi = edge.MultiVectorConfig(
                enum_member(edge.MultiVectorComparator, inner.need("comparator"), "comparator")
            )
            inner.finish()
            self.multi.add(name)
        datatype = fields.take("datatype")
        if datatype is not None:
            datatype = enum_member(edge.VectorStorageDatatype, datatype, "datatype")
        for tuning in ("hnsw_config", "quantization_config", "on_disk", "memory"):
            fields.take(tuning)
        fields.finish()
        self.sizes[name] = size
        return edge.EdgeVectorParams(
            size,
            distance,
            # In memory the engine would load whole chunks of 32 MB a collection, however empty.
            on_disk=True,
            multivector_config=multi,
            datatype=datatype,
        )

    def _sparse(self, params: Any) -> edge.EdgeSparseVectorParams:
        fields = Fields(params or {}, "sparse vector parameters")
        fields.take("index")
        modifier = fields.take("modifier")
        fields.finish()
        # The server also knows "none", which is the absence of a modifier.
        if modifier in (None, "none"):
            return edge.EdgeSparseVectorParams()
        return edge.EdgeSparseVectorParams(
            modifier=enum_member(edge.Modifier, modifier, "modifier")
        )

    def point(self, value: Any) -> edge.Point:
        """Return a checked point. Raises: ApiError 400."""
        fields = Fields(value, "point")
        identifier = point_id(fields.need("id"))
        vector = self.vector(fields.need("vector"))
        payload = as_object(fields.take("payload", {}), "payload")
        fields.finish()
        return edge.Point(cast(Any, identifier), vector, payload)

    def vector(self, value: Any) -> Any:
        """Return the checked vector or named vectors of one point. Raises: ApiError 400."""
        if isinstance(value, dict):
            named = cast(Json, value)
            return {name: self.single(one, name) for name, one in named.items()}
        return self.single(value, "")

    def single(self, value: Any, name: str) -> Any:
        """Return one checked vector of the space `name`. Raises: ApiError 400, 501."""
        if name not in self.sizes:
            raise wrong_input(f"Not existing vector name error: {name}")
        size = self.sizes[name]
        if isinstance(value, dict):
            if size is not None:
                raise _not_numbers(cast(Json, value), name)
            return sparse_vector(cast(Json, value))
        rows = as_list(value, "vector")
        if size is None:
            raise wrong_input(f"Conversion between sparse and regular vectors failed: {name}")
        if rows and isinstance(rows[0], list):
            if name not in self.multi:
                raise wrong_input(f"Conversion between multi and regular vectors failed: {name}")
            return [_numbers(row, size) for row in rows]
        numbers = _numbers(rows, size)
        return [numbers] if name in self.multi else numbers


def sparse_vector(value: Json) -> edge.SparseVector:
    """Return a sparse vector. Raises: ApiError 400, 501 for text that a model should embed."""
    fields = Fields(value, "sparse vector")
    if "indices" not in fields:
        raise _not_numbers(value, "")
    indices = as_list(fields.need("indices"), "indices")
    values = as_list(fields.need("values"), "values")
    fields.finish()
    if len(indices) != len(values):
        raise bad_format("values: must be the same length as indices")
    if len(set(indices)) != len(indices):
        raise bad_format("indices: must be unique")
    try:
        return edge.SparseVector(indices, values)
    except (TypeError, OverflowError) as error:
        raise bad_format(f"sparse vector: {error}") from None


def _not_numbers(value: Json, name: str) -> Exception:
    if "model" in value:
        return unsupported("inference: send vectors, not text or images")
    return wrong_input(f"Conversion between sparse and regular vectors failed: {name}")


def _numbers(value: Any, size: int) -> list[float]:
    numbers = as_list(value, "vector")
    if len(numbers) != size:
        raise wrong_input(f"Vector dimension error: expected dim: {size}, got {len(numbers)}")
    return numbers  # The engine refuses what is no number before it writes anything.
