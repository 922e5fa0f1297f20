"""What a benchmark says at its end: tables for people, and one line for each figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number and the most that it may be, or the least that it must be."""

    name: str
    value: float
    target: float
    is_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the value keeps within its target."""
        return self.value >= self.target if self.is_least else self.value <= self.target

    @property
    def line(self) -> str:
        """`figure=<name> value=<number> target=<op><number> ok|short`."""
        verdict = "ok" if self.is_met else "short"
        sign = ">=" if self.is_least else "<="
        return f"figure={self.name} value={self.value:.4g} target={sign}{self.target:g} {verdict}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(_aligned(line, widths) for line in lines)


def say(figures: Sequence[Figure]) -> int:
    """Print a line for each figure; 1 if one is short of its target, else 0."""
    for figure in figures:
        print(figure.line)
    return 0 if all(figure.is_met for figure in figures) else 1


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "  ".join(padded).rstrip()
