"""What a new index finds better and worse than the one that is served. Pure functions.

It is asked in two ways: as answers are made, and by vectors alone, since a question that holds a
table's own words finds it whatever the model is worth. A question's place is where in a ranking the
last of its tables stands: what a reader must take to have all of them. Where several sets of tables
answer it, that is of the set which is complete first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from twd_shared.markdown import escaped
from twd_shared.retrieval.questions import LabelledQuestion
from twd_shared.retrieval.scoring import scores_of

Rankings = Sequence[Sequence[str]]
"""For each question the labels of tables that were found, best first."""

HYBRID, DENSE_ONLY = "hybrid", "dense only"
"""The two ways of asking, as a report names them."""

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
    before: Figures | None
    after: Figures
    better: int
    worse: tuple[MovedQuestion, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All connections, and all their questions taken together; `before` None = nothing to compare.

    Of one way of asking.
    """

    connections: tuple[ConnectionComparison, ...]

    @property
    def before(self) -> Figures | None:
        """The figures of what is served, over all questions."""
        known = [item.before for item in self.connections if item.before is not None]
        return _together(known) if known else None

    @property
    def after(self) -> Figures:
        """The figures of the new index, over all questions."""
        return _together([item.after for item in self.connections])

    @property
    def loss(self) -> float:
        """How much of recall@5 is lost; below zero if it is won, 0 with nothing to compare."""
        return self.before.recall_at_5 - self.after.recall_at_5 if self.before else 0.0

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


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Both ways of asking: `hybrid` as answers are made, `dense` by vectors alone."""

    hybrid: Comparison
    dense: Comparison

    @property
    def worst(self) -> tuple[str, Comparison]:
        """The way that loses more, and its name for people."""
        if self.dense.loss > self.hybrid.loss:
            return DENSE_ONLY, self.dense
        return HYBRID, self.hybrid

    def as_json(self) -> dict[str, Any]:
        """For storing: of the hybrid, and beside it that of vectors alone."""
        return {**self.hybrid.as_json(), "dense_only": self.dense.as_json()}


def compare(
    rankings: Mapping[str, tuple[Sequence[LabelledQuestion], Rankings | None, Rankings]],
) -> Comparison:
    """By database: its questions, what is found now if anything can be, and by the new index."""
    return Comparison(
        tuple(
            _compared(database, questions, before, after)
            for database, (questions, before, after) in sorted(rankings.items())
            if questions
        )
    )


def markdown_of(comparisons: Comparisons) -> str:
    """A table of the databases, two rows each, and one of the questions that got worse."""
    lines = [
        "| database | asked | questions | recall@5 | complete@5 | MRR | better | worse |",
        "|---|---|---|---|---|---|---|---|",
    ]
    ways = ((HYBRID, comparisons.hybrid), (DENSE_ONLY, comparisons.dense))
    for parts in zip(*(comparison.connections for _, comparison in ways), strict=True):
        lines += [
            _row(escaped(part.database), way, part.before, part.after, part.better, len(part.worse))
            for (way, _), part in zip(ways, parts, strict=True)
        ]
    lines += [
        _row(
            "**all**",
            way,
            comparison.before,
            comparison.after,
            sum(item.better for item in comparison.connections),
            sum(len(item.worse) for item in comparison.connections),
        )
        for way, comparison in ways
    ]
    if any(comparison.worse for _, comparison in ways):
        lines += [
            "",
            "Questions that got worse, by the place of the last of their tables:",
            "",
            "| database | asked | question | before | after |",
            "|---|---|---|---|---|",
            *(
                f"| {escaped(moved.database)} | {way} | {escaped(moved.question)} "
                f"| {moved.before or '–'} | {moved.after or '–'} |"
                for way, comparison in ways
                for moved in comparison.worse
            ),
        ]
    return "\n".join(lines)


def _compared(
    database: str, questions: Sequence[LabelledQuestion], before: Rankings | None, after: Rankings
) -> ConnectionComparison:
    moved = (
        []
        if before is None
        else [
            MovedQuestion(database, question.text, _place(question, old), _place(question, new))
            for question, old, new in zip(questions, before, after, strict=True)
        ]
    )
    return ConnectionComparison(
        database=database,
        before=None if before is None else _figures(questions, before),
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
    """Where the answer is complete that is found first; None = none of them is."""
    places = {label: place for place, label in reversed(list(enumerate(ranking, start=1)))}
    complete = (tables for tables in question.answers if places.keys() >= tables)
    return min((max(places[label] for label in tables) for tables in complete), default=None)


def _fall(moved: MovedQuestion) -> float:
    # Not found is behind every place, and two that are not found are equal.
    nowhere = 1000
    return (moved.after or nowhere) - (moved.before or nowhere)


def _row(
    database: str, way: str, before: Figures | None, after: Figures, better: int, worse: int
) -> str:
    figures = [
        f"{getattr(before, of):.3f} → {getattr(after, of):.3f}"
        if before
        else f"{getattr(after, of):.3f}"
        for of in ("recall_at_5", "complete_at_5", "mrr")
    ]
    cells = [database, way, str(after.questions), *figures, str(better), str(worse)]
    return f"| {' | '.join(cells)} |"


def _rounded(figures: Figures | None) -> dict[str, Any] | None:
    return figures and {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in asdict(figures).items()
    }
