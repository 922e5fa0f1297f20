"""What the UI shows of a measured day. Numbers, tables and shapes of SQL; no text of a user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from twd_shared.store.connections import RegisteredConnection

if TYPE_CHECKING:
    from twd_analytics.accuracy.report import ConnectionAccuracy
    from twd_analytics.usage.statistics import ConnectionUsage
    from twd_analytics.usage.store import QueryStatsStore

_HISTORY_DAYS = 30
_BARS = "▁▂▃▄▅▆▇█"


def connection_labels(known: Iterable[RegisteredConnection]) -> dict[str, str]:
    """Connection id → the partition key that people know it by."""
    return {"*": "all", "": "not known"} | {
        item.connection_id: item.partition_key for item in known
    }


def usage_metadata(
    day: date,
    usage: Sequence[ConnectionUsage],
    labels: Mapping[str, str],
    store: QueryStatsStore,
) -> dict[str, Any]:
    """Numbers over all connections, a table per connection, the month before as bars."""
    everything = usage[0]
    rows = [
        (
            _label(item.connection_id, labels),
            item.total,
            item.successful,
            item.failed,
            item.unanswered,
            item.unique_users,
            _shown(item.average_response_ms),
            _shown(item.p95_response_ms),
        )
        for item in usage
    ]
    headings = (
        "connection",
        "total",
        "successful",
        "failed",
        "unanswered",
        "users",
        "mean ms",
        "p95 ms",
    )
    metadata: dict[str, Any] = {
        "total": everything.total,
        "successful": everything.successful,
        "failed": everything.failed,
        "unanswered": everything.unanswered,
        "unique_users": everything.unique_users,
        "top_tables": dg.MetadataValue.json(everything.top_tables),
        "most_common_sql_shapes": dg.MetadataValue.json(
            [
                {"sql_shape": item["sql_shape"], "count": item["count"]}
                for item in everything.most_common_queries
                if item["sql_shape"]
            ]
        ),
        "by_connection": dg.MetadataValue.md(_table(headings, rows)),
        "last_30_days": dg.MetadataValue.md(_history(day, store)),
    }
    if everything.average_response_ms is not None:
        metadata["average_response_ms"] = round(everything.average_response_ms, 1)
    if everything.p95_response_ms is not None:
        metadata["p95_response_ms"] = round(everything.p95_response_ms, 1)
    return metadata


def accuracy_metadata(
    report: Sequence[ConnectionAccuracy], labels: Mapping[str, str]
) -> dict[str, Any]:
    """Numbers over all connections, error classes, problematic tables, a table per connection."""
    everything = report[0]
    rows = [
        (
            _label(item.connection_id, labels),
            item.generated,
            _shown(item.parsed_percent),
            _shown(item.executed_percent),
            ", ".join(f"{name} {count}" for name, count in item.error_classes.items()) or "–",
            item.model_version or "–",
        )
        for item in report
    ]
    headings = ("connection", "generated", "parsed %", "executed %", "errors", "model version")
    metadata: dict[str, Any] = {
        "generated": everything.generated,
        "parsed": everything.parsed,
        "executed": everything.executed,
        "error_classes": dg.MetadataValue.json(everything.error_classes),
        "problematic_tables": dg.MetadataValue.json(everything.problematic_tables),
        "by_connection": dg.MetadataValue.md(_table(headings, rows)),
    }
    if everything.parsed_percent is not None and everything.executed_percent is not None:
        metadata["parsed_percent"] = everything.parsed_percent
        metadata["executed_percent"] = everything.executed_percent
    return metadata


def _history(day: date, store: QueryStatsStore) -> str:
    """Totals and failures of the month before as bars; a day that was not measured is a dot."""
    measured = {at: (total, failed) for at, total, failed in store.totals(day, _HISTORY_DAYS)}
    days = [day - timedelta(days=back) for back in reversed(range(_HISTORY_DAYS))]
    rows = []
    for name, which in (("total", 0), ("failed", 1)):
        values = [measured[at][which] if at in measured else None for at in days]
        present = [value for value in values if value is not None]
        rows.append((name, f"`{_bars(values)}`", min(present), max(present)))
    return _table((f"{days[0]} to {day}", "per day", "least", "most"), rows)


def _bars(values: Sequence[int | None]) -> str:
    most = max((value for value in values if value is not None), default=0) or 1
    return "".join("·" if value is None else _BARS[value * 7 // most] for value in values)


def _table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def _label(connection_id: str, labels: Mapping[str, str]) -> str:
    return labels.get(connection_id, f"connection {connection_id}").replace("|", "\\|")


def _shown(number: float | None) -> str:
    return "–" if number is None else f"{number:,.1f}".removesuffix(".0")
