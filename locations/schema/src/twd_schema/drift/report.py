"""A diff for people: a markdown table for the UI."""

from __future__ import annotations

from twd_schema.drift.changes import Change, SchemaDiff
from twd_schema.drift.impact import IMPACT_COLUMNS, Impact, impact_columns
from twd_shared.markdown import escaped

_ORDER = {"breaking": 0, "risky": 1, "safe": 2}
_MOST_ROWS = 200


def worst_first(diff: SchemaDiff) -> list[Change]:
    """The changes by severity, else as the diff has them."""
    return sorted(diff.changes, key=lambda change: _ORDER[change.severity])


def markdown_report(diff: SchemaDiff, impact: Impact | None = None) -> str:
    """The changes as a markdown table, worst first; at most 200 rows.

    With an impact, each row says how much of what is known of the source the change hits.
    """
    if not diff.changes:
        return "No change."
    columns = ("severity", "rule", "what changed", *(IMPACT_COLUMNS if impact else ()))
    lines = [_row(columns), "|---" * len(columns) + "|"]
    for change in worst_first(diff)[:_MOST_ROWS]:
        cells = (change.severity, f"`{change.rule}`", escaped(change.sentence))
        lines.append(
            _row((*cells, *(map(escaped, impact_columns(change, impact)) if impact else ())))
        )
    if len(diff.changes) > _MOST_ROWS:
        lines.append(f"\n… and {len(diff.changes) - _MOST_ROWS} more.")
    if impact and impact.unknown:
        lines.append(f"\n{escaped(impact.unknown)}")
    return "\n".join(lines)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
