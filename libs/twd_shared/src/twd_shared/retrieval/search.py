"""Which tables of a connection a question is about, from the schema index.

The one way to ask it: `make ask`, the evaluation and the TalkingWithData server come through here.
docs/retrieval.md tells how to call it and what the scores mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from twd_shared.clients.embedding import embed_within
from twd_shared.clients.index_layout import LAYOUT, point_id, read_payload
from twd_shared.clients.index_points import ConnectionPoints
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import IndexCollection, SchemaIndex
from twd_shared.errors import IndexOutdated, IndexRejected
from twd_shared.retrieval.candidates import (
    Candidate,
    Relationship,
    candidates_of,
    keys_of,
    label,
)
from twd_shared.retrieval.question import Asked, read_question
from twd_shared.retrieval.ranking import (
    STANDARD,
    Explanation,
    RankedTable,
    Weights,
    neighbours,
    rank,
)
from twd_shared.retrieval.selection import close_joins, select
from twd_shared.schema_model.keys import TableName
from twd_shared.terms.sparse import question_terms

MOST_TABLES = 15
"""How many tables an answer holds at most, unless the caller says otherwise."""

# Points that each of the two searches gives: enough for the tables of a few schemas, and a wide
# table's chunks among them.
_POINTS = 100
# Fewer tables than this among them, and wide ones may have crowded out the others.
_FEW_TABLES = 30
_MANY_POINTS = 1000


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
    """The tables of an answer, best first, the foreign keys among them, and where it was read.

    `note` says what an operator should know of the answer; empty if all is well.
    """

    tables: tuple[RetrievedTable, ...] = ()
    joins: tuple[Relationship, ...] = ()
    collection: IndexCollection | None = None
    note: str = ""


class _Told(msgspec.Struct, frozen=True):
    """What an answer says of a table, from its first point's payload."""

    kind: str
    ddl: str
    card: str


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
    is read from one physical collection, so that an answer never mixes two. Raises IndexOutdated
    for one of another layout, the errors of the embedding and the index, TypeError or ValueError
    for a connection or limit that cannot be; the answer is empty when nothing of the connection is
    indexed.
    """
    if limit < 1:
        raise ValueError(f"An answer has at least one table, not {limit}.")
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

    `collection` need not be the one that is served. Asked in few requests. As in an answer, words
    alone count where the model was pulled again; raises IndexOutdated where `weights` have none.
    """
    asked = [read_question(question) for question in questions]
    vectors: Sequence[list[float] | None] = [None] * len(asked)
    if weights.dense:
        model = ollama.using(collection.model)
        if not _replaced(model, collection):
            vectors = _vectors([one.text for one in asked], model, collection)
        elif not weights.terms:
            raise IndexOutdated(_replaced_note(collection, "it is not asked by vectors alone"))
    points = index.points(connection_id, collection.name)
    rankings: list[list[TableName]] = []
    found = _candidates(points, asked, vectors, with_terms=weights.terms > 0)
    for one, candidates in zip(asked, found, strict=True):
        ranked = rank(candidates, one, weights)
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
    _require_layout(collection)
    asked = read_question(question)
    model = ollama.using(collection.model)
    vector, note = None, ""
    if _replaced(model, collection):
        note = _replaced_note(collection, "tables were found by words alone")
    else:
        [vector] = _vectors([asked.text], model, collection)
    points = index.points(connection_id, collection.name)
    [candidates] = _candidates(points, [asked], [vector], with_terms=True)
    selected = select(rank(candidates, asked), neighbours(candidates), limit)
    ids = {table.name: point_id(connection_id, *table.name) for table in selected}
    payloads = points.payloads(list(ids.values()))
    told_by = {name: payloads.get(point, {}) for name, point in ids.items()}
    # A foreign key may name a table that is not indexed; it joins nothing that can be answered.
    tables = [
        _retrieved(table, told)
        for table in selected
        if (told := read_payload(told_by[table.name], _Told))
    ]
    return Retrieval(
        tables=tuple(tables),
        joins=_joins([(table.schema, table.table) for table in tables], told_by),
        collection=collection,
        note=note,
    )


def _candidates(
    points: ConnectionPoints,
    asked: Sequence[Asked],
    vectors: Sequence[Sequence[float] | None],
    *,
    with_terms: bool,
) -> list[dict[TableName, Candidate]]:
    questions = [
        (vector, question_terms(one.text) if with_terms else None)
        for one, vector in zip(asked, vectors, strict=True)
    ]
    found = [candidates_of(*hits) for hits in points.nearest(questions, _POINTS)]
    crowded = [place for place, one in enumerate(found) if 0 < len(one) < _FEW_TABLES]
    if crowded and points.count() > _POINTS:
        # Tables of thousands of columns have so many points that they leave no room for others.
        more = points.nearest([questions[place] for place in crowded], _MANY_POINTS)
        for place, hits in zip(crowded, more, strict=True):
            found[place] = candidates_of(*hits)
    return found


def _require_layout(collection: IndexCollection) -> None:
    if collection.layout != LAYOUT:
        raise IndexOutdated(
            f"The schema index {collection.name} has layout {collection.layout}, and this version "
            f"reads {LAYOUT}. An index of an earlier release is replaced by index_layout_sensor; "
            "where the index is of a later one, update what reads it."
        )


def _replaced(model: Ollama, collection: IndexCollection) -> bool:
    """Whether the model is another than the one that made the collection."""
    digest = model.digest()
    return bool(digest) and digest != collection.model_digest


def _replaced_note(collection: IndexCollection, outcome: str) -> str:
    return (
        f"Model {collection.model!r} was pulled again and its vectors do not compare with those of "
        f"the schema index: {outcome}. Run: make migrate-index."
    )


def _vectors(texts: Sequence[str], model: Ollama, collection: IndexCollection) -> list[list[float]]:
    # A question of pages is cut: what it is about stands at its beginning, or nowhere.
    vectors = embed_within(model, texts, "query")
    for vector in vectors:
        if len(vector) != collection.dimension:
            raise IndexRejected(
                f"Model {collection.model!r} gives vectors of {len(vector)} dimensions, but the "
                f"schema index {collection.name!r} was made with {collection.dimension}: the "
                "model was replaced under its name. Rebuild the index: make migrate-index."
            )
    return vectors


def _retrieved(table: RankedTable, told: _Told) -> RetrievedTable:
    schema, name = table.name
    return RetrievedTable(
        schema=schema,
        table=name,
        kind=told.kind,
        score=table.score,
        ddl=told.ddl,
        card=told.card,
        explanation=table.explanation,
    )


def _joins(
    names: Sequence[TableName], payloads: Mapping[TableName, Mapping[str, Any]]
) -> tuple[Relationship, ...]:
    """All foreign keys among the tables: two between the same ones are two ways to join them."""
    among = set(names)
    keys = (key for name in names for key in keys_of(name, payloads[name]))
    return tuple(dict.fromkeys(key for key in keys if key.target in among))
