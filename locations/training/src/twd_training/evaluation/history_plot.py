"""Recall over the versions of a knowledge base, as a small SVG. Pure.

Scores of different question sets cannot be compared: where the set has changed, the line is broken
and a dashed upright stands.
"""

from __future__ import annotations

from collections.abc import Sequence

from twd_training.evaluation.store import Evaluated

MOST_VERSIONS = 40
_STEP, _HEIGHT, _LEFT, _TOP, _BELOW = 44, 140, 44, 16, 40


def newest_of_each(history: Sequence[Evaluated]) -> list[Evaluated]:
    """What was recorded last of each version, by version; the newest `MOST_VERSIONS`."""
    by_version = {one.version: one for one in history}
    return [by_version[version] for version in sorted(by_version)][-MOST_VERSIONS:]


def recall_svg(history: Sequence[Evaluated], held: int | None = None) -> str:
    """Recall@5 by version, from what is recorded; the version `held` has a hollow mark."""
    shown = newest_of_each(history)
    # The line below needs the width of seven versions.
    width = _LEFT + max(len(shown), 7) * _STEP + 8
    height = _TOP + _HEIGHT + _BELOW
    parts = [_grid(width)]
    for place, one in enumerate(shown):
        x, y = _point(place, one)
        before = shown[place - 1] if place else None
        if before and before.question_set_hash == one.question_set_hash:
            from_x, from_y = _point(place - 1, before)
            parts.append(f'<line x1="{from_x}" y1="{from_y}" x2="{x}" y2="{y}" stroke="#2f6feb"/>')
        elif before:
            middle = x - _STEP // 2
            parts.append(
                f'<line class="other-questions" x1="{middle}" y1="{_TOP}" x2="{middle}" '
                f'y2="{_TOP + _HEIGHT}" stroke="#b35900" stroke-dasharray="4 3"/>'
            )
        fill = "#ffffff" if one.version == held else "#2f6feb"
        parts.append(
            f'<circle cx="{x}" cy="{y}" r="4" fill="{fill}" stroke="#2f6feb">'
            f"<title>version {one.version}: {one.recall_at_5:.4f} over {one.question_count} "
            "questions</title></circle>"
            f'<text x="{x}" y="{y - 8}" text-anchor="middle">{one.recall_at_5:.2f}</text>'
            f'<text x="{x}" y="{_TOP + _HEIGHT + 16}" text-anchor="middle">{one.version}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{"".join(parts)}'
        f'<text x="{_LEFT}" y="{height - 6}">version; hollow = held, dashed = other questions '
        "from here on</text></svg>"
    )


def _grid(width: int) -> str:
    lines: list[str] = []
    for share in (0.0, 0.5, 1.0):
        y = _TOP + round((1 - share) * _HEIGHT)
        lines.append(
            f'<line x1="{_LEFT}" y1="{y}" x2="{width - 8}" y2="{y}" stroke="#d0d7de"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{share:.1f}</text>'
        )
    return "".join(lines)


def _point(place: int, one: Evaluated) -> tuple[int, int]:
    return _LEFT + place * _STEP + _STEP // 2, _TOP + round((1 - one.recall_at_5) * _HEIGHT)
