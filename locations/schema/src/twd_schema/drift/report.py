"""A diff for people: a markdown table for the UI, a text for an alert."""

from __future__ import annotations

import re

from twd_schema.drift.changes import SchemaDiff
from twd_shared.store.alerts import Alert

_ORDER = {"breaking": 0, "risky": 1, "safe": 2}
_MOST_ROWS = 200


def markdown_report(diff: SchemaDiff) -> str:
    """The changes as a markdown table, worst first; at most 200 rows."""
    if not diff.changes:
        return "No change."
    rows = sorted(diff.changes, key=lambda change: _ORDER[change.severity])
    lines = ["| severity | rule | what changed |", "|---|---|---|"]
    lines += [
        f"| {change.severity} | `{change.rule}` | {_cell(change.sentence)} |"
        for change in rows[:_MOST_ROWS]
    ]
    if len(rows) > _MOST_ROWS:
        lines.append(f"\n… and {len(rows) - _MOST_ROWS} more.")
    return "\n".join(lines)


def breaking_alert(
    diff: SchemaDiff, connection_id: str, database_name: str, link: str
) -> Alert | None:
    """One alert for all breaking changes of this diff; None if there is none.

    The same change keeps its key however often the sync is tried.
    """
    if not diff.breaking or not diff.from_version:
        return None
    sentences = [change.sentence for change in diff.breaking]
    body = "\n".join(f"- {sentence}" for sentence in sentences[:20])
    if len(sentences) > 20:
        body += f"\n- … and {len(sentences) - 20} more"
    return Alert(
        key=f"breaking-change:{connection_id}:{diff.from_version}:{diff.to_version}",
        severity="breaking",
        title=f"{database_name}: {len(sentences)} breaking schema change(s)",
        body=body,
        link=link,
    )


def _cell(text: str) -> str:
    # Names are a source's own: one must not end the cell, nor make the UI load a picture.
    return re.sub(r"([\\`*\[\]<>!|])", r"\\\1", " ".join(text.split()))
