"""The labelled questions of one connection: what users taught, and what its schema gives. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from twd_shared.retrieval.questions import (
    LabelledQuestion,
    generated_questions,
    language_of,
    steady_order,
)
from twd_shared.schema_model.models import Snapshot
from twd_training.examples.models import TrainingItem

MOST_OF_USERS = 200
"""Of more, a fixed sample is asked: a small change must not cost a question for each pair."""

MOST_ANSWERED = 30
"""So many are answered by a language model and run on the source, which takes seconds each."""


def labelled_questions(snapshot: Snapshot, items: Iterable[TrainingItem]) -> list[LabelledQuestion]:
    """What a knowledge base of this schema with these items is asked, the same each time."""
    return [*questions_of_users(items), *generated_questions(snapshot)]


def questions_of_users(items: Iterable[TrainingItem]) -> list[LabelledQuestion]:
    """Accepted question/SQL pairs that read a table, with the tables of their SQL."""
    questions = [
        LabelledQuestion(
            text=item.question,
            tables=frozenset(item.tables),
            origin="user",
            language=language_of(item.question),
            sql=item.content,
        )
        for item in items
        if item.kind == "question_sql" and item.accepted and item.question and item.tables
    ]
    if len(questions) <= MOST_OF_USERS:
        return questions
    return sorted(questions, key=lambda one: steady_order(one.text))[:MOST_OF_USERS]


def taught_pairs(items: Iterable[TrainingItem]) -> list[TrainingItem]:
    """The pairs whose questions a language model is asked, in a fixed order: a fixed sample.

    Only what users taught on purpose: an answer of an earlier model is no measure of this one.
    """
    pairs = [
        item
        for item in items
        if item.kind == "question_sql" and item.accepted and item.source == "user"
        if item.question and item.tables
    ]
    return sorted(pairs, key=lambda one: (steady_order(one.question or ""), one.item_id))[
        :MOST_ANSWERED
    ]
