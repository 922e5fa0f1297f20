"""The questions that users taught, with the tables that answer them. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from twd_shared.retrieval.questions import LabelledQuestion, language_of
from twd_training.examples.models import TrainingItem


def questions_of_users(items: Iterable[TrainingItem]) -> list[LabelledQuestion]:
    """Accepted question/SQL pairs that read a table, with the tables of their SQL."""
    return [
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
