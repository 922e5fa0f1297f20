"""One connection's collections and aliases in Qdrant: every call that a knowledge base makes.

Which version is right is not decided here, but in `publishing.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qdrant_client import QdrantClient, models

from twd_shared.clients.qdrant import index_errors
from twd_training.knowledge_base.documents import Document
from twd_training.knowledge_base.names import PARTS, Part, alias_of, collection_of, version_in

_BATCH = 256
_QUERIES = 64


@dataclass(frozen=True, slots=True)
class Found:
    """A document that a question found: the tables it is about, and its SQL if it is a pair."""

    tables: tuple[str, ...]
    sql: str | None


class Collections:
    """The collections `kb_<partition key>_*` behind their aliases."""

    def __init__(self, client: QdrantClient, partition_key: str) -> None:
        """`client` is shared; connects at the first call."""
        self._client = client
        self._partition_key = partition_key

    def names(self, version: int) -> dict[str, str]:
        """Physical collection by alias, of one version."""
        key = self._partition_key
        return {alias_of(key, part): collection_of(key, part, version) for part in PARTS}

    def present(self) -> set[int]:
        """Versions of which there is at least one collection."""
        with index_errors():
            found = self._client.get_collections().collections
        versions = (version_in(self._partition_key, item.name) for item in found)
        return {version for version in versions if version is not None}

    def served(self) -> int | None:
        """The version to which all aliases point, or None if they do not agree."""
        aliases = self._aliases()
        first = aliases.get(alias_of(self._partition_key, PARTS[0]), "")
        version = version_in(self._partition_key, first)
        if version is None or not self.names(version).items() <= aliases.items():
            return None
        return version

    def counts(self, version: int) -> dict[Part, int] | None:
        """Points in each collection of a version, or None if one of them is missing."""
        counted: dict[Part, int] = {}
        with index_errors():
            for part in PARTS:
                name = collection_of(self._partition_key, part, version)
                if not self._client.collection_exists(name):
                    return None
                counted[part] = self._client.count(name, exact=True).count
        return counted

    def hashes(self, version: int) -> set[str]:
        """Content hashes of all documents of a version."""
        payloads = (record.payload or {} for record in self._scroll(version, vectors=False))
        return {str(payload["metadata"]["content_hash"]) for payload in payloads}

    def vectors(self, version: int, model: str) -> dict[str, Sequence[float]]:
        """Vector by content hash, of those documents of a version that `model` embedded."""
        held: dict[str, Sequence[float]] = {}
        for record in self._scroll(version, vectors=True):
            metadata = (record.payload or {}).get("metadata") or {}
            if metadata.get("model") == model and isinstance(record.vector, list):
                held[metadata["content_hash"]] = record.vector  # pyright: ignore[reportArgumentType]
        return held

    def create(self, version: int, dimension: int) -> None:
        """Create the collections of a version, empty: one unnamed vector, cosine distance."""
        with index_errors():
            for name in self.names(version).values():
                self._client.create_collection(
                    name,
                    vectors_config=models.VectorParams(
                        size=dimension, distance=models.Distance.COSINE
                    ),
                )

    def write(
        self, version: int, documents: Sequence[Document], vectors: Sequence[Any], model: str
    ) -> None:
        """Write documents with their vectors into their own part and into `langchain`."""
        points: dict[Part, list[models.PointStruct]] = {part: [] for part in PARTS}
        for document, vector in zip(documents, vectors, strict=True):
            points[document.part].append(
                models.PointStruct(
                    id=document.point_id, vector=vector, payload=document.payload(model)
                )
            )
            points["langchain"].append(
                models.PointStruct(
                    # Two parts may hold the same text.
                    id=str(uuid.UUID(document.content_hash)),
                    vector=vector,
                    payload=document.langchain_payload(model),
                )
            )
        with index_errors():
            for part, batch in points.items():
                name = collection_of(self._partition_key, part, version)
                for start in range(0, len(batch), _BATCH):
                    self._client.upsert(name, batch[start : start + _BATCH], wait=True)

    def serve(self, version: int) -> None:
        """Point all aliases to a version, in one step for every reader."""
        there = self._aliases()
        operations: list[Any] = []
        for alias, collection in self.names(version).items():
            if alias in there:
                operations.append(
                    models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
                )
            operations.append(
                models.CreateAliasOperation(
                    create_alias=models.CreateAlias(collection_name=collection, alias_name=alias)
                )
            )
        with index_errors():
            self._client.update_collection_aliases(operations)

    def drop(self, versions: Collection[int]) -> None:
        """Delete the collections of versions, whole or half-built, and aliases that serve them."""
        with index_errors():
            found = [item.name for item in self._client.get_collections().collections]
            for name in found:
                if version_in(self._partition_key, name) in versions:
                    self._client.delete_collection(name)

    def search(self, vectors: Sequence[Sequence[float]], limit: int) -> list[list[Found]]:
        """For each vector the documents nearest to it, of all parts, best first."""
        alias = alias_of(self._partition_key, "langchain")
        found: list[list[Found]] = []
        with index_errors():
            for start in range(0, len(vectors), _QUERIES):
                answers = self._client.query_batch_points(
                    alias,
                    [
                        models.QueryRequest(query=list(vector), limit=limit, with_payload=True)
                        for vector in vectors[start : start + _QUERIES]
                    ],
                )
                found += [[_found(point.payload) for point in answer.points] for answer in answers]
        return found

    def _aliases(self) -> dict[str, str]:
        with index_errors():
            aliases = self._client.get_aliases().aliases
        return {item.alias_name: item.collection_name for item in aliases}

    def _scroll(self, version: int, vectors: bool) -> Iterator[models.Record]:
        name = collection_of(self._partition_key, "langchain", version)
        offset: Any = None
        with index_errors():
            if not self._client.collection_exists(name):
                return
            while True:
                records, offset = self._client.scroll(
                    name,
                    limit=_BATCH,
                    offset=offset,
                    with_payload=["metadata.content_hash", "metadata.model"],
                    with_vectors=vectors,
                )
                yield from records
                if offset is None:
                    return


def _found(payload: dict[str, Any] | None) -> Found:
    metadata = (payload or {}).get("metadata") or {}
    return Found(tuple(metadata.get("tables") or ()), metadata.get("sql"))
