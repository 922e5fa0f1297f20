"""One collection: the engine's shard, its description, and reads and writes on it.

Belongs here: running what the readers made of a request. Not here: names, aliases (`store.py`).

The engine holds the interpreter in every call, so calls run one after another in the event loop: a
reader never sees half a batch, and no lock is needed. A write is in the engine's log when the call
returns and survives the death of the process; `settle` also brings it to the disk.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from twd_local.qdrant_front.answers import identifier, record, scored_point
from twd_local.qdrant_front.conditions import (
    filter_of,
    payload_selector,
    point_id,
    point_ids,
    vector_selector,
)
from twd_local.qdrant_front.errors import bad_format, not_found
from twd_local.qdrant_front.fields import Fields, Json, as_list
from twd_local.qdrant_front.payload_indexes import index_schema
from twd_local.qdrant_front.queries import QueryReader, scroll
from twd_local.qdrant_front.strict_mode import refuse_unindexed
from twd_local.qdrant_front.vectors import VectorSpaces

_FLUSH_AFTER_SECONDS = 1.0
_HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "on_disk": False}
_OPTIMIZER = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 1,
    "indexing_threshold": 0,
    "flush_interval_sec": 1,
}
_WAL = {"wal_capacity_mb": 32, "wal_segments_ahead": 0}
_DIFFS = (
    "hnsw_config",
    "optimizers_config",
    "wal_config",
    "quantization_config",
    "strict_mode_config",
    "metadata",
)


def read_settings(body: Json) -> Json:
    """Return the part of a create request worth keeping. Raises: ApiError when it is not sound."""
    fields = Fields(body, "create collection request")
    settings = {
        name: fields.take(name)
        for name in ("vectors", "sparse_vectors", "on_disk_payload", *_DIFFS)
        if name in fields
    }
    for single_node in ("write_consistency_factor", "payload", "id_tracker"):
        fields.take(single_node)
    fields.finish()
    VectorSpaces(settings.get("vectors"), settings.get("sparse_vectors"))
    return settings


class Collection:
    """An open collection. `settings` and `indexes` are what the registry keeps of it."""

    def __init__(self, folder: Path, settings: Json, indexes: dict[str, Json]) -> None:
        self.folder = folder
        self.settings = settings
        self.indexes = indexes
        self.spaces = VectorSpaces(settings.get("vectors"), settings.get("sparse_vectors"))
        self._operations = 0
        self._unflushed_since: float | None = None
        self._shard: edge.EdgeShard | None = None

    @property
    def shard(self) -> edge.EdgeShard:
        """The engine's part, opened when first needed: many collections are never asked."""
        if self._shard is None:
            self._shard = edge.EdgeShard.load(str(self.folder))
        return self._shard

    def create(self) -> None:
        """Make the files of a new collection in its (empty) folder."""
        self._shard = edge.EdgeShard.create(
            str(self.folder),
            edge.EdgeConfig(
                vectors=self.spaces.dense,
                sparse_vectors=self.spaces.sparse,
                # Zero switches the building of approximate indexes off.
                optimizers=edge.EdgeOptimizersConfig(
                    indexing_threshold=0, default_segment_number=1
                ),
                max_search_threads=1,
            ),
        )

    def apply(self, operation: edge.UpdateOperation) -> Json:
        """Apply one change and return the server's update result."""
        if self._unflushed_since is None:
            self._unflushed_since = time.monotonic()
        self.shard.update(operation)
        self._operations += 1
        return {"operation_id": self._operations, "status": "completed"}

    def settle(self) -> None:
        """Flush changes once they are a second old, and reclaim the space of deleted points."""
        since = self._unflushed_since
        if since is None or time.monotonic() - since < _FLUSH_AFTER_SECONDS:
            return
        self._unflushed_since = None
        self.shard.flush()
        # Without approximate indexes this only rewrites segments with many deleted points.
        self.shard.optimize()

    def close(self) -> None:
        """Flush and release the folder."""
        if self._shard is not None:
            self._shard.flush()
            self._shard.close()

    def create_index(self, body: Any) -> Json:
        """Create a payload index from a request body. Raises: ApiError 400."""
        fields = Fields(body, "index request")
        name = fields.text("field_name")
        schema = fields.need("field_schema")
        fields.finish()
        parsed, described = index_schema(schema)
        result = self.apply(edge.UpdateOperation.create_field_index(name, parsed))
        self.indexes[name] = described
        return result

    def delete_index(self, name: str) -> Json:
        """Delete a payload index; one that does not exist is fine."""
        result = self.apply(edge.UpdateOperation.delete_field_index(name))
        self.indexes.pop(name, None)
        return result

    def info(self) -> Json:
        """Return the server's description of a collection."""
        info = self.shard.info()
        params: Json = {
            "vectors": self.settings.get("vectors") or {},
            "shard_number": 1,
            "replication_factor": 1,
            "write_consistency_factor": 1,
            "on_disk_payload": self.settings.get("on_disk_payload", True),
        }
        if self.settings.get("sparse_vectors"):
            params["sparse_vectors"] = self.settings["sparse_vectors"]
        config: Json = {
            "params": params,
            "hnsw_config": _HNSW | self.settings.get("hnsw_config", {}),
            "optimizer_config": _OPTIMIZER | self.settings.get("optimizers_config", {}),
            "wal_config": _WAL | self.settings.get("wal_config", {}),
            "quantization_config": self.settings.get("quantization_config"),
        }
        for name in ("strict_mode_config", "metadata"):
            if name in self.settings:
                config[name] = self.settings[name]
        schema = {
            name: {**self.indexes.get(name, {}), "points": one.points}
            for name, one in info.payload_schema.items()
        }
        return {
            "status": "green",
            "optimizer_status": "ok",
            "indexed_vectors_count": info.indexed_vectors_count,
            "points_count": info.points_count,
            "segments_count": info.segments_count,
            "config": config,
            "payload_schema": schema,
        }

    def change_settings(self, body: Json) -> None:
        """Merge new tuning options and metadata. Raises: ApiError 501 for anything else."""
        fields = Fields(body, "update collection request")
        changes = {name: fields.take(name) for name in _DIFFS if name in fields}
        fields.finish()
        for name, change in changes.items():
            self.settings[name] = {**self.settings.get(name, {}), **change}

    def require_allowed(self, body: Any) -> None:
        """Refuse a read that strict mode does not allow. Raises: ApiError 400."""
        refuse_unindexed(self.settings.get("strict_mode_config"), self.indexes, body)

    def query(self, request: edge.QueryRequest) -> list[Json]:
        """Run a query and return its hits, best first."""
        return [scored_point(point) for point in self.shard.query(request)]

    def read_query(self, body: Any) -> edge.QueryRequest:
        """Read a query body against this collection. Raises: ApiError."""
        fields = Fields(body, "query request")
        request = QueryReader(self.spaces, self.shard).query(fields)
        fields.finish()
        return request

    def read_search(self, body: Any) -> edge.QueryRequest:
        """Read a legacy search body against this collection. Raises: ApiError."""
        fields = Fields(body, "search request")
        request = QueryReader(self.spaces, self.shard).search(fields)
        fields.finish()
        return request

    def scroll(self, body: Any) -> Json:
        """Return one page of points and the id where the next one starts."""
        records, following = self.shard.scroll(scroll(body))
        return {
            "points": [record(one) for one in records],
            "next_page_offset": None if following is None else identifier(following),
        }

    def retrieve(self, body: Any) -> list[Json]:
        """Return the points with the given ids that exist."""
        fields = Fields(body, "retrieve request")
        ids = point_ids(fields.need("ids"))
        payload = payload_selector(fields.take("with_payload"), True)
        vector = vector_selector(fields.take("with_vector"))
        fields.finish()
        return [record(one) for one in self.shard.retrieve(ids, payload, vector)]

    def one(self, text: str) -> Json:
        """Return one point by the id in a path. Raises: ApiError 404."""
        wanted: Any = point_id(int(text) if text.isdecimal() else text)
        found = self.shard.retrieve([wanted], True, True)
        if not found:
            raise not_found(f"Point with id {wanted} does not exists!")
        return record(found[0])

    def count(self, body: Any) -> Json:
        """Return the exact number of points that pass a filter."""
        fields = Fields(body, "count request")
        fields.take("exact")
        request = edge.CountRequest(True, filter_of(fields.take("filter")))
        fields.finish()
        return {"count": self.shard.count(request)}

    def facet(self, body: Any) -> Json:
        """Return the values of an indexed payload key with their counts."""
        fields = Fields(body, "facet request")
        fields.take("exact")
        request = edge.FacetRequest(
            fields.text("key"),
            fields.integer("limit", 10, minimum=1),
            True,
            filter_of(fields.take("filter")),
        )
        fields.finish()
        hits = self.shard.facet(request).hits
        return {"hits": [{"value": hit.value, "count": hit.count} for hit in hits]}


def batch_of(body: Any, name: str) -> list[Any]:
    """Return the requests inside a batch body. Raises: ApiError 400."""
    fields = Fields(body, "batch request")
    result = as_list(fields.need(name), name)
    fields.finish()
    if not all(isinstance(item, dict) for item in result):
        raise bad_format(f"{name}: expected a list of objects")
    return result
