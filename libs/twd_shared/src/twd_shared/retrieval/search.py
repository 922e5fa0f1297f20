"""Which tables of a connection a question is about, from the schema index.

The one way to ask it: `make ask`, the evaluation and the TalkingWithData server come through here.
docs/retrieval.md tells how to call it and what the scores mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twd_shared.clients.embedding import embed_within
from twd_shared.clients.index_layout import point_id
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import IndexCollection, SchemaIndex
from twd_shared.errors import IndexRejected
from twd_shared.retrieval.candidates import Relationship, TableName, candidates_of, label
from twd_shared.retrieval.ranking import (
    STANDARD,
    Explanation,
    RankedTable,
    Weights,
    neighbours,
    rank,
)
from twd_shared.retrieval.selection import close_joins, select
from twd_shared.retrieval.terms import question_terms, significant_words
from twd_shared.retrieval.vietnamese import with_english

MOST_TABLES = 15
"""How many tables an answer holds at most, unless the caller says otherwise."""

# Points that each of the two searches gives: enough for the tables of a few schemas, and a wide
# table's chunks among them.
_POINTS = 100


@dataclass(frozen=True, slots=True)
class RetrievedTable:
    """A table with its DDL, its card, and why it was found; `score` compares within one answer."""

    schema: str
    table: str
    kind: str
    score: float
    ddl: str
    card: str
    explanation: Explanation

    @property
    def label(self) -> str:
        """`schema.table`, for people; the table alone where a dialect has no schemas."""
        return label((self.schema, self.table))


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The tables of an answer, best first, the foreign keys among them, and where it was read."""

    tables: tuple[RetrievedTable, ...] = ()
    joins: tuple[Relationship, ...] = ()
    collection: IndexCollection | None = None


def retrieve_tables(
    question: str,
    *,
    connection_id: str,
    index: SchemaIndex,
    ollama: Ollama,
    limit: int = MOST_TABLES,
) -> Retrieval:
    """The tables of the connection that a question is about, `limit` at most; fewer if clear.

    The question is embedded by the model that made the index, whatever model is configured. All
    is read from one physical collection, so that an answer never mixes two. Raises the errors of
    the embedding and the index; the answer is empty when nothing of the connection is indexed.
    """
    try:
        return _retrieve(question, connection_id, index, ollama, limit)
    except IndexRejected:
        # The collection may have been retired for good since the alias was resolved.
        return _retrieve(question, connection_id, index, ollama, limit)


def rank_tables(
    questions: Sequence[str],
    *,
    connection_id: str,
    index: SchemaIndex,
    ollama: Ollama,
    collection: IndexCollection,
    limit: int = MOST_TABLES,
    weights: Weights = STANDARD,
) -> list[list[TableName]]:
    """For each question the first `limit` tables, not cut where scores fall: for evaluation.

    `collection` need not be the one that is served. Asked in few requests.
    """
    texts = [with_english(question) for question in questions]
    vectors = _vectors(texts, ollama, collection) if weights.dense else [None] * len(texts)
    terms = [question_terms(text) if weights.terms else None for text in texts]
    points = index.points(connection_id, collection.name)
    found = points.nearest(list(zip(vectors, terms, strict=True)), _POINTS)
    rankings: list[list[TableName]] = []
    for text, (dense, sparse) in zip(texts, found, strict=True):
        candidates = candidates_of(dense, sparse)
        ranked = rank(candidates, list(significant_words(text)), weights)
        if weights.related:
            ranked = close_joins(ranked[:limit], ranked, neighbours(candidates))
        rankings.append([table.name for table in ranked[:limit]])
    return rankings


def _retrieve(
    question: str, connection_id: str, index: SchemaIndex, ollama: Ollama, limit: int
) -> Retrieval:
    collection = index.served()
    if collection is None:
        return Retrieval()
    text = with_english(question)
    [vector] = _vectors([text], ollama, collection)
    points = index.points(connection_id, collection.name)
    [(dense, sparse)] = points.nearest([(vector, question_terms(text))], _POINTS)
    candidates = candidates_of(dense, sparse)
    graph = neighbours(candidates)
    selected = select(rank(candidates, list(significant_words(text))), graph, limit)
    ids = {table.name: point_id(connection_id, *table.name) for table in selected}
    payloads = points.payloads(list(ids.values()))
    # A foreign key may name a table that is not indexed; it joins nothing that can be answered.
    indexed = [table for table in selected if ids[table.name] in payloads]
    return Retrieval(
        tables=tuple(_retrieved(table, payloads[ids[table.name]]) for table in indexed),
        joins=_joins([table.name for table in indexed], graph),
        collection=collection,
    )


def _vectors(
    texts: Sequence[str], ollama: Ollama, collection: IndexCollection
) -> list[list[float]]:
    # A question of pages is cut: what it is about stands at its beginning, or nowhere.
    vectors = embed_within(ollama.using(collection.model), texts, "query")
    for vector in vectors:
        if len(vector) != collection.dimension:
            raise IndexRejected(
                f"Model {collection.model!r} gives vectors of {len(vector)} dimensions, but the "
                f"schema index {collection.name!r} was made with {collection.dimension}: the "
                "model was replaced under its name. Rebuild the index: make migrate-index."
            )
    return vectors


def _retrieved(table: RankedTable, payload: Mapping[str, Any]) -> RetrievedTable:
    schema, name = table.name
    return RetrievedTable(
        schema=schema,
        table=name,
        kind=str(payload["kind"]),
        score=table.score,
        ddl=str(payload["ddl"]),
        card=str(payload["card"]),
        explanation=table.explanation,
    )


def _joins(
    names: Sequence[TableName], graph: Mapping[TableName, Mapping[TableName, Relationship]]
) -> tuple[Relationship, ...]:
    among = set(names)
    found = {
        relationship: None
        for name in names
        for other, relationship in sorted(graph.get(name, {}).items())
        if other in among
    }
    return tuple(found)
