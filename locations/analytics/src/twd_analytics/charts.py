"""Charts over days as small SVG pictures, which the UI shows in a page's markdown. Pure.

Belongs here: how bars and lines are drawn. Not here: which numbers are shown (`usage/`,
`accuracy/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

_WIDTH, _HEIGHT = 640, 150
# On the left there is room for the greatest number that a column of counts holds.
_LEFT, _TOP, _RIGHT, _BELOW = 80, 28, 12, 24
_GRID, _INK, _GAP = "#d0d7de", "#57606a", 2


@dataclass(frozen=True, slots=True)
class Series:
    """A row of numbers, one a day; None = the day was not measured, or there is no number."""

    name: str
    color: str
    values: Sequence[float | None]


def stacked_bars(days: Sequence[date], series: Sequence[Series]) -> str:
    """A bar a day, made of its series one upon the other; the scale begins at zero."""
    totals = [sum(one.values[place] or 0 for one in series) for place in range(len(days))]
    most = max(totals, default=0) or 1
    step = _WIDTH / max(len(days), 1)
    parts: list[str] = []
    for place, day in enumerate(days):
        top = float(_TOP + _HEIGHT)
        for one in series:
            value = one.values[place]
            if not value:
                continue
            height = value / most * _HEIGHT
            top -= height
            parts.append(
                f'<rect x="{_LEFT + place * step + _GAP / 2:.1f}" y="{top:.1f}" '
                f'width="{max(step - _GAP, 1):.1f}" height="{height:.1f}" fill="{one.color}">'
                f"<title>{day}: {one.name} {value:,.0f} of {totals[place]:,.0f}</title></rect>"
            )
    return _picture(days, series, [(0, "0"), (1, f"{most:,.0f}")], "".join(parts))


def percent_lines(days: Sequence[date], series: Sequence[Series]) -> str:
    """A line a series from 0 to 100 %; it is broken where a day has no number."""
    step = _WIDTH / max(len(days), 1)
    parts: list[str] = []
    for one in series:
        before: tuple[float, float] | None = None
        for place, value in enumerate(one.values):
            if value is None:
                before = None
                continue
            x = _LEFT + (place + 0.5) * step
            y = _TOP + (1 - value / 100) * _HEIGHT
            if before is not None:
                parts.append(
                    f'<line x1="{before[0]:.1f}" y1="{before[1]:.1f}" x2="{x:.1f}" y2="{y:.1f}" '
                    f'stroke="{one.color}" stroke-width="2"/>'
                )
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{one.color}">'
                f"<title>{days[place]}: {one.name} {value:.1f} %</title></circle>"
            )
            before = (x, y)
    scale = [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")]
    return _picture(days, series, scale, "".join(parts))


def _picture(
    days: Sequence[date],
    series: Sequence[Series],
    scale: Sequence[tuple[float, str]],
    content: str,
) -> str:
    width, height = _LEFT + _WIDTH + _RIGHT, _TOP + _HEIGHT + _BELOW
    lines = "".join(
        f'<line x1="{_LEFT}" y1="{(y := _TOP + (1 - share) * _HEIGHT):.1f}" '
        f'x2="{_LEFT + _WIDTH}" y2="{y:.1f}" stroke="{_GRID}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        for share, label in scale
    )
    legend = "".join(
        f'<rect x="{_LEFT + place * 130}" y="6" width="10" height="10" fill="{one.color}"/>'
        f'<text x="{_LEFT + place * 130 + 15}" y="15">{escape(one.name)}</text>'
        for place, one in enumerate(series)
    )
    ends = "".join(
        f'<text x="{x}" y="{height - 8}" text-anchor="{anchor}">{day}</text>'
        for day, x, anchor in (
            [(days[0], _LEFT, "start"), (days[-1], _LEFT + _WIDTH, "end")] if days else []
        )
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11" fill="{_INK}">'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
        f"{lines}{content}{legend}{ends}</svg>"
    )
