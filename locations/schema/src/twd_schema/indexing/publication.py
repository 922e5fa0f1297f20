"""Bringing a connection's share of the schema index to a snapshot: write, verify, then delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twd_schema.indexing.documents import Document, documents_of
from twd_shared.clients.catalog import Connection
from twd_shared.clients.embedding import embed_within
from twd_shared.clients.ollama import EmbeddingModel, Ollama
from twd_shared.clients.schema_index import Point, SchemaIndex
from twd_shared.errors import EmbeddingRejected, IndexUnavailable
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.models import Snapshot
from twd_shared.store.index_states import IndexState, IndexStateStore

# Points are written in slices, so that a killed run has kept what it embedded so far.
_SLICE = 256


@dataclass(frozen=True, slots=True)
class Publication:
    """What a publication did; `expected` and `present` are points after it."""

    state: IndexState
    table_count: int
    embedded: int
    unchanged: int
    deleted: int
    expected: int
    present: int


class Publisher:
    """Publishes snapshots to one schema index with one embedding model."""

    def __init__(self, index: SchemaIndex, ollama: Ollama, states: IndexStateStore) -> None:
        """Write to `index` what `ollama` embeds; record it in `states`."""
        self._index = index
        self._ollama = ollama
        self._states = states

    def publish(self, connection: Connection, snapshot: Snapshot, version: int) -> Publication:
        """Make the index hold exactly the tables of the snapshot for this connection.

        What is already there with the same content, made by the same model, is left alone; gone
        tables are deleted only after the new points are seen. Running it again changes nothing.
        Raises IndexUnavailable when the points read back are not the ones written.
        """
        model = self._ollama.embedding_model()
        collection = self._index.prepare(model.name, model.dimension)
        wanted = {item.point_id: item for item in documents_of(connection, snapshot, version)}
        hashes = {key: _hash(item, model) for key, item in wanted.items()}
        held = self._index.held(connection.connection_id, collection)
        missing = [item for key, item in wanted.items() if held.get(key) != hashes[key]]
        self._write(collection, missing, hashes, model)
        present = self._index.held(connection.connection_id, collection)
        if any(present.get(key) != value for key, value in hashes.items()):
            raise IndexUnavailable(
                f"The schema index does not hold what was written for {connection.label}. "
                "Nothing old was removed; look at Qdrant's log and disk."
            )
        gone = sorted(present.keys() - wanted.keys())
        self._index.delete(collection, gone)
        state = IndexState(
            connection_id=connection.connection_id,
            collection=collection,
            model=model.name,
            model_digest=model.digest,
            dimension=model.dimension,
            snapshot_version=version,
            content_hash=content_fingerprint(
                part for key in sorted(hashes) for part in (key, hashes[key])
            ),
            point_count=len(wanted),
        )
        self._states.put(state)
        return Publication(
            state=state,
            table_count=len(snapshot.tables),
            embedded=len(missing),
            unchanged=len(wanted) - len(missing),
            deleted=len(gone),
            expected=len(wanted),
            present=len(present) - len(gone),
        )

    def _write(
        self,
        collection: str,
        documents: Sequence[Document],
        hashes: dict[str, str],
        model: EmbeddingModel,
    ) -> None:
        for start in range(0, len(documents), _SLICE):
            part = documents[start : start + _SLICE]
            vectors = embed_within(self._ollama, [item.text for item in part], "document")
            if any(len(vector) != model.dimension for vector in vectors):
                raise EmbeddingRejected(
                    f"Model {model.name} has {model.dimension} dimensions but gave vectors of "
                    f"{len(vectors[0])}. Look at the Ollama server; its model may be broken."
                )
            self._index.upsert(
                collection,
                (
                    Point(
                        item.point_id,
                        vector,
                        {
                            **item.payload,
                            "content_hash": hashes[item.point_id],
                            "model": model.name,
                            "dimension": model.dimension,
                        },
                    )
                    for item, vector in zip(part, vectors, strict=True)
                ),
            )


def _hash(document: Document, model: EmbeddingModel) -> str:
    # A model pulled again under the same name has another digest, and its vectors do not mix.
    return content_fingerprint([document.content_hash, model.name, model.digest])
