"""What is evaluated: the schema index and the knowledge base, asked all questions at once."""

from __future__ import annotations

from collections.abc import Sequence

from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.retrieval.candidates import label
from twd_shared.retrieval.questions import LabelledQuestion
from twd_shared.retrieval.scoring import RANKS, Score, scores_of
from twd_shared.retrieval.search import rank_tables
from twd_training.knowledge_base.collections import Collections

SCHEMA_INDEX = "schema index"
"""The name of one retriever in reports."""
KNOWLEDGE_BASE = "knowledge base"
"""The name of the other."""

# A table may be found through several documents, and a question's own pair is left out.
_DOCUMENTS = 30


def evaluate(
    questions: Sequence[LabelledQuestion],
    *,
    connection_id: str,
    ollama: Ollama,
    index: SchemaIndex,
    knowledge_base: Collections,
) -> list[Score]:
    """Scores of both retrievers; raises the errors of the embedding and the index.

    A question that a user taught is never answered by its own SQL: the knowledge base is scored
    as if it did not hold that pair.
    """
    of_index = _of_index(questions, connection_id, ollama, index)
    vectors = ollama.embed([question.text for question in questions], "query")
    found = knowledge_base.search(vectors, _DOCUMENTS)
    of_base = [
        [
            label
            for document in documents
            if document.sql is None or document.sql != question.sql
            for label in document.tables
        ]
        for question, documents in zip(questions, found, strict=True)
    ]
    return [
        *scores_of(SCHEMA_INDEX, questions, of_index),
        *scores_of(KNOWLEDGE_BASE, questions, of_base),
    ]


def _of_index(
    questions: Sequence[LabelledQuestion], connection_id: str, ollama: Ollama, index: SchemaIndex
) -> list[list[str]]:
    collection = index.served()
    if collection is None:
        return [[] for _ in questions]
    rankings = rank_tables(
        [question.text for question in questions],
        connection_id=connection_id,
        index=index,
        ollama=ollama,
        collection=collection,
        limit=RANKS,
    )
    return [[label(name) for name in ranking] for ranking in rankings]
