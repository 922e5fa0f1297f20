"""What rankings are worth: recall@k, complete recall@k and mean reciprocal rank. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twd_shared.schema_model.keys import TableName

RANKS = (5, 10, 15)


@dataclass(frozen=True, slots=True)
class Answer:
    """A ranking with the tables that it should hold."""

    needed: frozenset[TableName]
    ranking: Sequence[TableName]
    language: str


def recall(answers: Sequence[Answer], k: int) -> float:
    """Share of a question's tables among its first k, averaged over the questions."""
    shares = [len(one.needed & set(one.ranking[:k])) / len(one.needed) for one in answers]
    return sum(shares) / len(shares)


def complete_recall(answers: Sequence[Answer], k: int) -> float:
    """Share of the questions with all their tables among the first k."""
    return sum(one.needed <= set(one.ranking[:k]) for one in answers) / len(answers)


def reciprocal_rank(answers: Sequence[Answer]) -> float:
    """Mean of 1 / rank of the first right table; 0 where none is right."""
    ranks = [
        next((rank for rank, name in enumerate(one.ranking, 1) if name in one.needed), None)
        for one in answers
    ]
    return sum(1 / rank for rank in ranks if rank) / len(ranks)


def row(name: str, answers: Sequence[Answer]) -> list[str]:
    """A line of a report: name, questions, recall@k, complete recall@k, MRR."""
    numbers = [
        *(recall(answers, k) for k in RANKS),
        *(complete_recall(answers, k) for k in RANKS),
        reciprocal_rank(answers),
    ]
    return [name, str(len(answers)), *(f"{number:.3f}" for number in numbers)]


HEADER = [
    "",
    "questions",
    *(f"recall@{k}" for k in RANKS),
    *(f"complete@{k}" for k in RANKS),
    "MRR",
]
