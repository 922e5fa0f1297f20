"""Scores of a retrieval: recall, complete recall and reciprocal rank. Pure functions.

A ranking is a list of table labels, best first; each label counts once, at its best place.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

from twd_shared.retrieval.questions import LabelledQuestion

RANKS = 5


@dataclass(frozen=True, slots=True)
class Score:
    """Averages over questions, each from 0 to 1.

    `recall_at_k`: share of a question's tables among the first k. `complete_at_5`: share of
    questions with all their tables among the first five. `mrr`: mean of 1 / rank of the first
    right table, 0 where none of the first five is right. Of several sets of tables that answer a
    question the one counts that is found best: parts of two are no answer.
    """

    retriever: str
    origin: str
    language: str
    questions: int
    recall_at_1: float
    recall_at_3: float
    recall_at_5: float
    complete_at_5: float
    mrr: float

    def as_row(self) -> dict[str, Any]:
        """The score as it is stored, rounded to four decimals."""
        return {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def scores_of(
    retriever: str, questions: Sequence[LabelledQuestion], rankings: Sequence[Sequence[str]]
) -> list[Score]:
    """Scores of one retriever: over all questions, then by origin and language.

    `retriever` is its name in reports; `rankings[i]` answers `questions[i]`. Without questions
    there are no scores.
    """
    answered = list(zip(questions, rankings, strict=True))
    groups = sorted({(one.origin, one.language) for one in questions})
    scores = [_score(retriever, "all", "all", answered)] if answered else []
    for origin, language in groups:
        of_group = [a for a in answered if (a[0].origin, a[0].language) == (origin, language)]
        scores.append(_score(retriever, origin, language, of_group))
    return scores


def _score(
    retriever: str,
    origin: str,
    language: str,
    answered: Sequence[tuple[LabelledQuestion, Sequence[str]]],
) -> Score:
    count = len(answered)
    ranked = [(question.answers, list(dict.fromkeys(ranking))) for question, ranking in answered]

    def recall(k: int) -> float:
        return sum(_share(answers, set(labels[:k])) for answers, labels in ranked) / count

    return Score(
        retriever=retriever,
        origin=origin,
        language=language,
        questions=count,
        recall_at_1=recall(1),
        recall_at_3=recall(3),
        recall_at_5=recall(RANKS),
        complete_at_5=sum(_share(answers, set(labels[:RANKS])) == 1 for answers, labels in ranked)
        / count,
        mrr=sum(_reciprocal_rank(answers, labels) for answers, labels in ranked) / count,
    )


def _share(answers: Collection[frozenset[str]], found: Set[str]) -> float:
    return max(len(tables & found) / len(tables) for tables in answers)


def _reciprocal_rank(answers: Collection[frozenset[str]], labels: Sequence[str]) -> float:
    right = frozenset[str]().union(*answers)
    ranks = (rank for rank, label in enumerate(labels[:RANKS], start=1) if label in right)
    return 1 / next(ranks, float("inf"))
