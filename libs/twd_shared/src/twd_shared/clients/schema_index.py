"""The schema index in Qdrant: points of tables, read and written for one connection at a time.

Readers see an alias; it points to a physical collection named after model and dimension. Every
read demands the connection, so that one user's tables are never found for another.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from twd_shared.clients.qdrant import index_errors
from twd_shared.errors import IndexRejected

# The namespace of our point ids; frozen, as another one would orphan every point.
_NAMESPACE = uuid.UUID("6f1d3a52-5c0e-5b6e-9a53-0f7a8d0c7d11")
_BATCH = 256
# Qdrant refuses requests of more than 32 MiB by default (service.max_request_size_mb).
_BATCH_BYTES = 16 * 2**20
_NUMBER_BYTES = 24
_PAGE = 1024
_QUERIES = 64


@dataclass(frozen=True, slots=True)
class Point:
    """One table's point: `payload` holds connection_id, schema, table and content_hash at least."""

    point_id: str
    vector: Sequence[float]
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Hit:
    """A found point with its similarity score (cosine, higher is nearer)."""

    score: float
    payload: Mapping[str, Any]


def point_id(connection_id: str, schema: str, table: str, chunk: int = 0) -> str:
    """UUIDv5 of (connection, schema, table, chunk), unambiguous whatever the names hold."""
    parts = (connection_id, schema, table, str(chunk))
    return str(uuid.uuid5(_NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts)))


class SchemaIndex:
    """The schema index behind one alias."""

    def __init__(self, client: QdrantClient, alias: str) -> None:
        """`client` is shared; `alias` is the name that readers use."""
        self._client = client
        self._alias = alias

    def collection_for(self, model: str, dimension: int) -> str:
        """Name of the physical collection for vectors of that model and dimension."""
        return f"{self._alias}__{re.sub(r'[^a-z0-9]+', '-', model.lower()).strip('-')}__{dimension}"

    def prepare(self, model: str, dimension: int) -> str:
        """Create the model's collection and, if there is none yet, the alias; give its name.

        Raises IndexRejected when the alias serves another model: readers would mix two vector
        spaces.
        """
        name = self.collection_for(model, dimension)
        with index_errors():
            if not self._client.collection_exists(name):
                self._create(name, dimension)
            self._ensure_tenant_index(name)
            served = self._served_collection()
            if served is None:
                self._client.update_collection_aliases(
                    [
                        models.CreateAliasOperation(
                            create_alias=models.CreateAlias(
                                collection_name=name, alias_name=self._alias
                            )
                        )
                    ]
                )
            elif served != name:
                raise self._other_model(served, model, dimension)
        return name

    def held(self, connection_id: str, collection: str) -> dict[str, str]:
        """Content hash by point id of everything the collection holds for the connection."""
        held: dict[str, str] = {}
        offset: Any = None
        with index_errors():
            while True:
                records, offset = self._client.scroll(
                    collection,
                    scroll_filter=_only(connection_id),
                    limit=_PAGE,
                    offset=offset,
                    with_payload=["content_hash"],
                )
                for record in records:
                    held[str(record.id)] = str((record.payload or {}).get("content_hash"))
                if offset is None:
                    return held

    def upsert(self, collection: str, points: Iterable[Point]) -> None:
        """Write the points; they are durable and searchable when this returns."""
        with index_errors():
            for batch in _batches(points):
                structs = [
                    models.PointStruct(
                        id=point.point_id, vector=list(point.vector), payload=dict(point.payload)
                    )
                    for point in batch
                ]
                self._client.upsert(collection, structs, wait=True)

    def delete(self, collection: str, point_ids: Sequence[str]) -> None:
        """Delete points by id."""
        if point_ids:
            with index_errors():
                self._client.delete(collection, list(point_ids), wait=True)

    def delete_connection(self, connection_id: str) -> None:
        """Delete all points of a connection from every collection of this index."""
        prefix = f"{self._alias}__"
        with index_errors():
            for collection in self._client.get_collections().collections:
                if collection.name.startswith(prefix):
                    self._client.delete(
                        collection.name,
                        models.FilterSelector(filter=_only(connection_id)),
                        wait=True,
                    )

    def search_many(
        self, connection_id: str, vectors: Sequence[Sequence[float]], limit: int, model: str
    ) -> list[list[Hit]]:
        """The connection's points nearest to each vector, best first, asked in few requests.

        `model` made the vectors. [] for each when nothing is indexed; IndexRejected when the
        index serves another model, whose vectors would be compared without any meaning.
        """
        found: list[list[Hit]] = []
        with index_errors():
            served = self._served_collection()
            if served is None:
                return [[] for _ in vectors]
            for dimension in {len(vector) for vector in vectors}:
                if served != self.collection_for(model, dimension):
                    raise self._other_model(served, model, dimension)
            for start in range(0, len(vectors), _QUERIES):
                answers = self._client.query_batch_points(
                    self._alias,
                    [
                        models.QueryRequest(
                            query=list(vector),
                            filter=_only(connection_id),
                            limit=limit,
                            with_payload=True,
                        )
                        for vector in vectors[start : start + _QUERIES]
                    ],
                )
                found += [[Hit(p.score, p.payload or {}) for p in one.points] for one in answers]
        return found

    def _other_model(self, served: str, model: str, dimension: int) -> IndexRejected:
        return IndexRejected(
            f"The schema index {self._alias!r} serves {served!r}, made by another model than "
            f"{model!r} ({dimension} dimensions). Set TWD_EMBED_MODEL back, or delete the alias "
            "and import again to start a new index."
        )

    def _served_collection(self) -> str | None:
        aliases = self._client.get_aliases().aliases
        return next((a.collection_name for a in aliases if a.alias_name == self._alias), None)

    def _create(self, name: str, dimension: int) -> None:
        try:
            self._client.create_collection(
                name,
                vectors_config=models.VectorParams(size=dimension, distance=models.Distance.COSINE),
            )
        except UnexpectedResponse as error:
            # Another connection's first import has created it since we looked.
            if error.status_code != HTTPStatus.CONFLICT:
                raise

    def _ensure_tenant_index(self, name: str) -> None:
        if "connection_id" not in self._client.get_collection(name).payload_schema:
            self._client.create_payload_index(
                name,
                "connection_id",
                models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
                wait=True,
            )


def _batches(points: Iterable[Point]) -> Iterator[list[Point]]:
    batch: list[Point] = []
    size = 0
    for point in points:
        length = len(msgspec.json.encode(point.payload)) + _NUMBER_BYTES * len(point.vector)
        if batch and (len(batch) == _BATCH or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(point)
        size += length
    if batch:
        yield batch


def _only(connection_id: str) -> models.Filter:
    return models.Filter(
        must=[
            models.FieldCondition(key="connection_id", match=models.MatchValue(value=connection_id))
        ]
    )
