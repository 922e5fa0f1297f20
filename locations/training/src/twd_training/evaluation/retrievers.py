"""What is evaluated: the schema index and the knowledge base, asked all questions at once."""

from __future__ import annotations

from collections.abc import Sequence

from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.retrieval.search import nearest_tables
from twd_training.evaluation.questions import LabelledQuestion
from twd_training.evaluation.scoring import KNOWLEDGE_BASE, RANKS, SCHEMA_INDEX, Score, scores_of
from twd_training.knowledge_base.collections import Collections

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
    vectors = ollama.embed([question.text for question in questions], "query")
    nearest = nearest_tables(
        vectors,
        connection_id=connection_id,
        index=index,
        model=ollama.embed_model,
        limit=RANKS,
    )
    found = knowledge_base.search(vectors, _DOCUMENTS)
    of_index = [[table.label for table in tables] for tables in nearest]
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
