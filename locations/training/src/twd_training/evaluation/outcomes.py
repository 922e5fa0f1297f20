"""What became of SQL that a language model wrote for a question. Values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Outcome = Literal["matched", "different", "failed", "refused", "no_sql", "not_comparable"]
"""`failed`: the source, or the parser, does not take it; `refused`: it may do more than read;
`not_comparable`: the user's own SQL gave nothing to compare with."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class Compared:
    """An outcome and why it is not `matched`, in words that hold no row of the source."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes of one version's questions; `asked_now` of them are new, `not_asked` come later."""

    counts: Mapping[Outcome, int]
    asked_now: int
    not_asked: int

    @property
    def execution_accuracy(self) -> float | None:
        """The share that matched of what could be compared; None if nothing could."""
        compared = sum(self.counts.values()) - self.counts.get("not_comparable", 0)
        return self.counts.get("matched", 0) / compared if compared else None


@dataclass(frozen=True, slots=True)
class Generated:
    """Outcomes by version of what the language model wrote.

    `skipped` is why it was not to be asked, `problem` why it was not asked about all questions.
    """

    model: str = ""
    of_version: Mapping[int, Tally] = field(default_factory=dict[int, Tally])
    skipped: str = ""
    problem: str = ""

    @property
    def asked_now(self) -> int:
        """How many questions were asked that had no outcome yet."""
        return sum(tally.asked_now for tally in self.of_version.values())
