"""What a new index finds better and worse than the one that is served. Pure functions.

A question's place is where in a ranking the last of its tables stands: what a reader must take to
have all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from twd_shared.retrieval.questions import LabelledQuestion
from twd_shared.retrieval.scoring import scores_of

Rankings = Sequence[Sequence[str]]
"""For each question the labels of tables that were found, best first."""

_MOST_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """Averages over `questions`, each from 0 to 1; see `twd_shared.retrieval.scoring.Score`."""

    questions: int
    recall_at_5: float
    complete_at_5: float
    mrr: float


@dataclass(frozen=True, slots=True)
class MovedQuestion:
    """A question whose tables are found at another place; None = not all of them are found."""

    database: str
    question: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class ConnectionComparison:
    """One connection's figures before and after, and its questions that moved."""

    database: str
    before: Figures
    after: Figures
    better: int
    worse: tuple[MovedQuestion, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All connections, and all their questions taken together."""

    connections: tuple[ConnectionComparison, ...]

    @property
    def before(self) -> Figures:
        """The figures of what is served, over all questions."""
        return _together([item.before for item in self.connections])

    @property
    def after(self) -> Figures:
        """The figures of the new index, over all questions."""
        return _together([item.after for item in self.connections])

    @property
    def loss(self) -> float:
        """How much of recall@5 is lost; below zero if it is won."""
        return self.before.recall_at_5 - self.after.recall_at_5

    @property
    def worse(self) -> tuple[MovedQuestion, ...]:
        """The questions that lost most, twenty at most."""
        moved = [question for item in self.connections for question in item.worse]
        return tuple(sorted(moved, key=_fall, reverse=True)[:_MOST_EXAMPLES])

    def as_json(self) -> dict[str, Any]:
        """For storing."""
        return {
            "before": _rounded(self.before),
            "after": _rounded(self.after),
            "connections": [
                {
                    "database": item.database,
                    "before": _rounded(item.before),
                    "after": _rounded(item.after),
                    "better": item.better,
                    "worse": len(item.worse),
                }
                for item in self.connections
            ],
            "worse": [asdict(question) for question in self.worse],
        }


def compare(
    rankings: Mapping[str, tuple[Sequence[LabelledQuestion], Rankings, Rankings]],
) -> Comparison:
    """By database: its questions, what is found now, and what the new index finds."""
    return Comparison(
        tuple(
            _compared(database, questions, before, after)
            for database, (questions, before, after) in sorted(rankings.items())
            if questions
        )
    )


def markdown_of(comparison: Comparison) -> str:
    """A table of the databases, and one of the questions that got worse."""
    lines = [
        "| database | questions | recall@5 | complete@5 | MRR | better | worse |",
        "|---|---|---|---|---|---|---|",
        *(
            _row(_cell(item.database), item.before, item.after, item.better, len(item.worse))
            for item in comparison.connections
        ),
        _row(
            "**all**",
            comparison.before,
            comparison.after,
            sum(item.better for item in comparison.connections),
            sum(len(item.worse) for item in comparison.connections),
        ),
    ]
    if comparison.worse:
        lines += [
            "",
            "Questions that got worse, by the place of the last of their tables:",
            "",
            "| database | question | before | after |",
            "|---|---|---|---|",
            *(
                f"| {_cell(moved.database)} | {_cell(moved.question)} "
                f"| {moved.before or '–'} | {moved.after or '–'} |"
                for moved in comparison.worse
            ),
        ]
    return "\n".join(lines)


def _compared(
    database: str, questions: Sequence[LabelledQuestion], before: Rankings, after: Rankings
) -> ConnectionComparison:
    moved = [
        MovedQuestion(database, question.text, _place(question, old), _place(question, new))
        for question, old, new in zip(questions, before, after, strict=True)
    ]
    return ConnectionComparison(
        database=database,
        before=_figures(questions, before),
        after=_figures(questions, after),
        better=sum(_fall(item) < 0 for item in moved),
        worse=tuple(item for item in moved if _fall(item) > 0),
    )


def _figures(questions: Sequence[LabelledQuestion], rankings: Rankings) -> Figures:
    score = scores_of("schema index", questions, rankings)[0]
    return Figures(score.questions, score.recall_at_5, score.complete_at_5, score.mrr)


def _together(parts: Sequence[Figures]) -> Figures:
    questions = sum(part.questions for part in parts)

    def mean(of: str) -> float:
        return sum(part.questions * getattr(part, of) for part in parts) / max(questions, 1)

    return Figures(questions, mean("recall_at_5"), mean("complete_at_5"), mean("mrr"))


def _place(question: LabelledQuestion, ranking: Sequence[str]) -> int | None:
    places = [ranking.index(label) + 1 for label in question.tables if label in ranking]
    return max(places) if len(places) == len(question.tables) else None


def _fall(moved: MovedQuestion) -> float:
    # Not found is behind every place, and two that are not found are equal.
    nowhere = 1000
    return (moved.after or nowhere) - (moved.before or nowhere)


def _row(database: str, before: Figures, after: Figures, better: int, worse: int) -> str:
    figures = [
        f"{old:.3f} → {new:.3f}"
        for old, new in (
            (before.recall_at_5, after.recall_at_5),
            (before.complete_at_5, after.complete_at_5),
            (before.mrr, after.mrr),
        )
    ]
    return f"| {database} | {after.questions} | {' | '.join(figures)} | {better} | {worse} |"


def _cell(text: str) -> str:
    # A name of the source must not break the table.
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")


def _rounded(figures: Figures) -> dict[str, Any]:
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in asdict(figures).items()
    }
