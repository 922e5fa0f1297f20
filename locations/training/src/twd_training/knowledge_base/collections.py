"""One connection's collections and aliases in Qdrant: every call that a knowledge base makes.

Which version is right is not decided here, but in `publishing.py`.
"""

from __future__ import annotations

import uuid
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from qdrant_client import QdrantClient, models

from twd_shared.clients.qdrant import (
    Record,
    aliases_in,
    collections_in,
    index_errors,
    query,
    scroll,
    upsert,
)
from twd_shared.errors import IndexRejected, IndexUnavailable
from twd_training.knowledge_base.documents import Document, EmbeddedText
from twd_training.knowledge_base.names import PARTS, Part, alias_of, collection_of, version_in

_BATCH = 256
_KEYWORD, _BOOL = models.PayloadSchemaType.KEYWORD, models.PayloadSchemaType.BOOL
# What readers filter by: Qdrant in strict mode, as Qdrant Cloud has it, refuses any other filter.
_PAYLOAD_INDEXES: Mapping[Part, Mapping[str, models.PayloadSchemaType]] = {
    "memory": {"success": _BOOL, "is_text_memory": _BOOL, "tool_name": _KEYWORD},
    "langchain": {
        "metadata.kind": _KEYWORD,
        "metadata.source": _KEYWORD,
        "metadata.tables": _KEYWORD,
    },
}
_EMBEDDED_TEXTS = ("page_content", "ddl", "documentation")
"""Keys of payloads, in all parts, under which only the text stands."""
# Of an array, which is all that it does not know by itself, it writes the numbers.
_ENCODER = msgspec.json.Encoder(enc_hook=list)


@dataclass(frozen=True, slots=True)
class Found:
    """A document that a question found: the tables it is about; of a pair its question and SQL.

    `text` is what was embedded, or in a pair's own part its SQL.
    """

    content_hash: str
    tables: tuple[str, ...]
    question: str | None
    sql: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What a version says of one of its documents; `text` is the one that was embedded."""

    kind: str
    source: str
    tables: tuple[str, ...]
    text: str
    question: str | None
    sql: str | None


class Point(NamedTuple):
    """Where a document stands in a part, by which text it is found there, and what is shown."""

    part: Part
    point_id: str
    text: EmbeddedText
    payload: dict[str, Any]


def points_of(document: Document, model: str) -> list[Point]:
    """The points of a document: in its own part, in `langchain` and, but for DDL, in `memory`."""
    # Two parts may hold the same text.
    shared_id = str(uuid.UUID(document.content_hash))
    points = [
        Point(document.part, document.point_id, document.content, document.payload(model)),
        Point("langchain", shared_id, document.content, document.langchain_payload(model)),
    ]
    if document.remembered is not None:
        payload = document.memory_payload(model)
        points.append(Point("memory", shared_id, document.remembered, payload))
    return points


def served_aliases(client: QdrantClient) -> frozenset[str]:
    """All aliases in Qdrant whose collection is there, in two requests."""
    aliases, there = aliases_in(client), collections_in(client)
    return frozenset(alias for alias, collection in aliases.items() if collection in there)


class Collections:
    """The collections `kb_<partition key>_*` behind their aliases."""

    def __init__(
        self,
        client: QdrantClient,
        partition_key: str,
        still_held: Callable[[], None] = lambda: None,
    ) -> None:
        """`client` is shared, and connects at the first call.

        `still_held` is called before each change: whoever changes something gives that of the lock
        of `ModelVersions.exclusive`.
        """
        self._client = client
        self._partition_key = partition_key
        self._still_held = still_held

    def names(self, version: int) -> dict[str, str]:
        """Physical collection by alias, of one version."""
        key = self._partition_key
        return {alias_of(key, part): collection_of(key, part, version) for part in PARTS}

    def present(self) -> set[int]:
        """Versions of which there is at least one collection."""
        versions = (version_in(self._partition_key, name) for name in collections_in(self._client))
        return {version for version in versions if version is not None}

    def missing(self, names: Collection[str]) -> list[str]:
        """Those of a version's collections, as they were recorded, that are not there.

        A version of a release that had no memory was recorded without one, and is whole so.
        """
        return sorted(set(names) - collections_in(self._client))

    def served(self) -> int | None:
        """The version to which all aliases point, or None if they do not agree."""
        aliases = aliases_in(self._client)
        first = aliases.get(alias_of(self._partition_key, PARTS[0]), "")
        version = version_in(self._partition_key, first)
        if version is None:
            return None
        names = self.names(version)
        memory = alias_of(self._partition_key, "memory")
        if memory not in aliases and names[memory] not in collections_in(self._client):
            # Published by a release that had no memory: whole without it.
            del names[memory]
        return version if names.items() <= aliases.items() else None

    def counts(self, version: int) -> dict[Part, int] | None:
        """Points in each collection of a version, or None if one of them is missing."""
        counted: dict[Part, int] = {}
        with index_errors(self._client):
            for part in PARTS:
                name = collection_of(self._partition_key, part, version)
                if not self._client.collection_exists(name):
                    return None
                counted[part] = self._client.count(name, exact=True).count
        return counted

    def vectors(self, version: int, model: str) -> dict[EmbeddedText, Sequence[float]]:
        """Vector of each text of a version that `model` embedded."""
        held: dict[EmbeddedText, Sequence[float]] = {}
        # A list of numbers takes four times as much memory as an array.
        for text, vector in self._embedded(version, "langchain", "page_content", model):
            held[EmbeddedText(text)] = array("d", vector)
        for question, vector in self._embedded(version, "memory", "question", model):
            held[EmbeddedText(question, "query")] = array("d", vector)
        return held

    def require_free_aliases(self) -> None:
        """Raise IndexRejected when no version could be served: see `serve`."""
        self._in_the_way()

    def create(self, version: int, dimension: int) -> None:
        """Create the collections of a version, empty: one unnamed vector, cosine distance."""
        self._still_held()
        with index_errors(self._client):
            for name in self.names(version).values():
                self._client.create_collection(
                    name,
                    vectors_config=models.VectorParams(
                        size=dimension, distance=models.Distance.COSINE
                    ),
                )
        # Before there are points: what searches walk along is built for the filters that are known.
        self.complete(version)

    def complete(self, version: int) -> None:
        """Create the payload indexes that a version lacks: a release that had none made it."""
        collections = collections_in(self._client)
        for part, indexes in _PAYLOAD_INDEXES.items():
            name = collection_of(self._partition_key, part, version)
            if name not in collections:
                continue
            with index_errors(self._client):
                present = self._client.get_collection(name).payload_schema
            for field, kind in indexes.items():
                if field not in present:
                    self._still_held()
                    with index_errors(self._client):
                        self._client.create_payload_index(name, field, kind, wait=True)

    def write(
        self,
        version: int,
        documents: Sequence[Document],
        vectors: Mapping[EmbeddedText, Any],
        model: str,
    ) -> None:
        """Write all points of documents; `vectors` holds those of their texts."""
        points: dict[Part, list[dict[str, Any]]] = {part: [] for part in PARTS}
        # A text stands in two or three parts; its vector is most of what is sent.
        encoded: dict[EmbeddedText, msgspec.Raw] = {}
        for document in documents:
            for point in points_of(document, model):
                if point.text not in encoded:
                    encoded[point.text] = msgspec.Raw(_ENCODER.encode(vectors[point.text]))
                points[point.part].append(
                    {
                        "id": point.point_id,
                        "vector": encoded[point.text],
                        "payload": point.payload,
                    }
                )
        self._still_held()
        for part, of_part in points.items():
            upsert(self._client, collection_of(self._partition_key, part, version), of_part)

    def serve(self, version: int) -> None:
        """Point all aliases to a version, in one step for every reader.

        If the server dies within it, some aliases may be moved and others not; none is lost, and
        `settle` makes them agree. A version that was published without a memory is served without
        one. Empty collections that have the name of an alias, as a reader makes them that comes
        before the first version, are deleted; IndexRejected is raised, and nothing done, when one
        of them holds points.
        """
        there = aliases_in(self._client)
        memory = alias_of(self._partition_key, "memory")
        collections = collections_in(self._client)
        moved = self.names(version)
        if moved[memory] not in collections:
            del moved[memory]
        # Creating an alias that exists moves it; each action is durable by itself.
        operations: list[Any] = [
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(collection_name=collection, alias_name=alias)
            )
            for alias, collection in moved.items()
        ]
        if memory in there and memory not in moved:
            operations.append(
                models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=memory))
            )
        in_the_way = self._in_the_way()
        self._still_held()
        with index_errors(self._client):
            # Qdrant cannot do both in one request: readers of these see an error in between.
            for name in in_the_way:
                self._client.delete_collection(name)
            self._client.update_collection_aliases(operations)

    def drop(self, versions: Collection[int]) -> None:
        """Delete the collections of versions, whole or half-built, and aliases that serve them.

        With the last version go empty collections that have the name of an alias.
        """
        own = {name: version_in(self._partition_key, name) for name in collections_in(self._client)}
        dropped = [name for name, version in own.items() if version in versions]
        if not {version for version in own.values() if version is not None} - set(versions):
            dropped += [name for name, count in self._named_as_aliases().items() if not count]
        self._still_held()
        with index_errors(self._client):
            for name in dropped:
                self._client.delete_collection(name)

    def stored(self, version: int) -> dict[str, Stored]:
        """All documents of a version, by content hash."""
        payloads = self.payloads(version, "langchain").values()
        return {
            metadata["content_hash"]: Stored(
                kind=metadata["kind"],
                source=metadata["source"],
                tables=tuple(metadata["tables"]),
                text=payload["page_content"],
                question=metadata.get("question"),
                sql=metadata.get("sql"),
            )
            for payload in payloads
            for metadata in [_metadata(payload)]
            # A reader may have added points of its own.
            if "content_hash" in metadata
        }

    def payloads(self, version: int, part: Part) -> dict[str, dict[str, Any]]:
        """Payload of each point in a part of a version, by the point's id."""
        name = collection_of(self._partition_key, part, version)
        return {str(record.id): record.payload or {} for record in self._records(name)}

    def vectors_of(
        self, version: int, part: Part, ids: Sequence[str]
    ) -> dict[str, Sequence[float]]:
        """Vector of each of these points that a part of a version holds, by the point's id."""
        name = collection_of(self._partition_key, part, version)
        with index_errors(self._client):
            records = self._client.retrieve(name, ids, with_payload=False, with_vectors=True)
        return {
            str(record.id): record.vector  # pyright: ignore[reportReturnType]
            for record in records
            if isinstance(record.vector, list)
        }

    def delete(self, version: int, hashes: Collection[str]) -> None:
        """Delete documents from all parts of a version; raises IndexUnavailable if one stays."""
        for part in PARTS:
            name = collection_of(self._partition_key, part, version)
            ids: list[Any] = [
                record.id for record in self._records(name) if _hash_in(record) in hashes
            ]
            self._still_held()
            with index_errors(self._client):
                for start in range(0, len(ids), _BATCH):
                    selected = models.PointIdsList(points=ids[start : start + _BATCH])
                    self._client.delete(name, selected, wait=True)
            left = sum(_hash_in(record) in hashes for record in self._records(name))
            if left:
                raise IndexUnavailable(
                    f"Qdrant still holds {left} of {len(ids)} points of {name} after they were "
                    "deleted. They are deleted by the next run; look at its log."
                )

    def search(
        self,
        version: int,
        vectors: Sequence[Sequence[float]],
        limit: int,
        part: Part = "langchain",
        *,
        texts: bool = True,
    ) -> list[list[Found]]:
        """For each vector the documents of a part nearest to it, best first; langchain has all.

        Without `texts` what was embedded is left out: it is most of what is sent.
        """
        name = collection_of(self._partition_key, part, version)
        payload = True if texts else {"exclude": _EMBEDDED_TEXTS}
        searches = [
            {"query": vector, "limit": limit, "with_payload": payload} for vector in vectors
        ]
        return [
            [_found(point.payload) for point in points]
            for points in query(self._client, name, searches)
        ]

    def _records(self, name: str, request: Mapping[str, Any] | None = None) -> Iterator[Record]:
        """All points of a collection with what is asked of them; none if it does not exist."""
        with index_errors(self._client):
            exists = self._client.collection_exists(name)
        if exists:
            yield from scroll(self._client, name, request)

    def _named_as_aliases(self) -> dict[str, int]:
        """Points of the collections whose names belong to our aliases, by name."""
        aliases = {alias_of(self._partition_key, part) for part in PARTS}
        with index_errors(self._client):
            return {
                name: self._client.count(name, exact=True).count
                for name in sorted(collections_in(self._client) & aliases)
            }

    def _in_the_way(self) -> list[str]:
        """Empty collections that have the name of an alias; raises IndexRejected for others."""
        found = self._named_as_aliases()
        full = [f"{name} ({count} points)" for name, count in found.items() if count]
        if full:
            raise IndexRejected(
                f"The knowledge base of {self._partition_key} cannot be served: Qdrant has "
                f"collections with the names of its aliases that hold points: {', '.join(full)}. "
                "Training did not make them (a Vanna that was trained by itself may have), and "
                "leaves them alone. Delete them or copy them to other names, and run training_job."
            )
        return list(found)

    def _embedded(
        self, version: int, part: Part, text_key: str, model: str
    ) -> Iterator[tuple[str, Sequence[float]]]:
        """Texts under a payload key with their vectors, of points that `model` embedded."""
        name = collection_of(self._partition_key, part, version)
        request = {"with_payload": [text_key, "metadata.model"], "with_vector": True}
        for record in self._records(name, request):
            payload = record.payload or {}
            if text_key in payload and _metadata(payload).get("model") == model:
                yield payload[text_key], record.vector


def _metadata(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """What stands in `metadata`; nothing in points that are not ours."""
    found = payload.get("metadata")
    return found if isinstance(found, dict) else {}


def _found(payload: dict[str, Any] | None) -> Found:
    payload = payload or {}
    # In the parts that Vanna 0.7 reads it stands beside the content.
    described = _metadata(payload) or payload
    texts = (payload.get(key) for key in (*_EMBEDDED_TEXTS, "sql"))
    return Found(
        str(described.get("content_hash")),
        tuple(described.get("tables") or ()),
        described.get("question"),
        described.get("sql"),
        next((text for text in texts if text), ""),
    )


def _hash_in(record: Record) -> object:
    payload = record.payload or {}
    return payload.get("content_hash") or _metadata(payload).get("content_hash")
