"""The first publication of a thousand tables, and what each part of it takes alone.

In a publication the parts go on at once: while the server embeds, terms are made and points are
written. So the parts together take longer than the whole; what they take alone says where there is
something to gain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from benchmarks.index.clocks import Taken, clocked, middle
from benchmarks.index.model_server import CALL_SECONDS, PARALLEL, TEXT_SECONDS
from benchmarks.index.own import OpenIndex, OwnIndex
from twd_schema.indexing.documents import Document
from twd_shared.clients.index_collections import IndexCollection, making_of
from twd_shared.clients.index_layout import Point
from twd_shared.clients.index_points import ConnectionPoints
from twd_shared.clients.ollama import Batch
from twd_shared.schema_model.models import Snapshot
from twd_shared.terms.sparse import SparseTerms

ROUNDS = 5
BATCH = 64

EMBEDDING = "embedding the texts"


class First(NamedTuple):
    """Medians; `earliest` is the round in which this process did it for the first time."""

    publication: Taken
    earliest: Taken
    parts: dict[str, Taken]


def floor_seconds(texts: int) -> float:
    """The least that so many texts take the server: each batch to the lane that is free first."""
    lanes = [0.0] * PARALLEL
    for start in range(0, texts, BATCH):
        size = min(BATCH, texts - start)
        lanes[lanes.index(min(lanes))] += CALL_SECONDS + TEXT_SECONDS * size
    return max(lanes)


def publish_first(open_index: OpenIndex, snapshot: Snapshot, ollama_url: str) -> First:
    """Publish in each round to an alias and for a connection that are new."""
    publications: list[Taken] = []
    parts: defaultdict[str, list[Taken]] = defaultdict(list)
    for number in range(ROUNDS):
        with open_index(f"first_{number}", ollama_url) as own:
            version = own.keep(snapshot)
            publications.append(clocked(partial(own.publish, snapshot, version)))
        with open_index(f"parts_{number}", ollama_url) as own:
            version = own.keep(snapshot)
            for name, taken in _parts(own, snapshot, version):
                parts[name].append(taken)
    return First(
        middle(publications),
        publications[0],
        {name: middle(taken) for name, taken in parts.items()},
    )


def _parts(own: OwnIndex, snapshot: Snapshot, version: int) -> Iterator[tuple[str, Taken]]:
    """One after the other what a publication does, on an alias that is new."""
    created: list[IndexCollection] = []
    yield "asking the model, creating a collection", clocked(lambda: created.append(_create(own)))
    [collection] = created
    documents: list[Document] = []
    yield (
        "building the documents",
        clocked(
            lambda: documents.extend(own.documents(snapshot, version, collection.token_budget))
        ),
    )
    terms: list[SparseTerms] = []
    yield "making the sparse terms", clocked(lambda: terms.extend(one.terms for one in documents))
    batches: list[Batch] = []
    texts = [document.text for document in documents]
    embedding = clocked(lambda: batches.extend(own.ollama.embed_batches(texts, "document")))
    yield EMBEDDING, embedding
    points = own.index.points(own.connection.connection_id, collection.name)
    yield "writing to Qdrant", clocked(lambda: _write(points, documents, terms, batches))
    yield (
        "reading back what Qdrant holds",
        clocked(lambda: points.held(["content_hash"])),
    )


def _create(own: OwnIndex) -> IndexCollection:
    making = making_of(own.ollama.embedding_model())
    collection = own.index.create(making, own.ollama.token_budget())
    own.index.serve(collection.name)
    return collection


def _write(
    points: ConnectionPoints,
    documents: Sequence[Document],
    terms: Sequence[SparseTerms],
    batches: Iterable[Batch],
) -> None:
    for start, vectors in batches:
        points.upsert(
            Point(
                document.point_id,
                vector,
                terms[place],
                {**document.payload, "content_hash": document.content_hash},
            )
            for place, (document, vector) in enumerate(
                zip(documents[start : start + len(vectors)], vectors, strict=True), start
            )
        )
