"""What the UI shows of a measured day. Numbers, names and shapes of SQL; no text of a user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from twd_analytics.charts import Series, percent_lines, stacked_bars
from twd_analytics.defs.days import EVEN_IF_FEWER_TAG
from twd_shared.markdown import escaped, picture
from twd_shared.store.connections import RegisteredConnection

if TYPE_CHECKING:
    from twd_analytics.accuracy.measure import MeasuredAccuracy
    from twd_analytics.accuracy.report import NameAccuracy
    from twd_analytics.accuracy.store import DayRates
    from twd_analytics.usage.measure import MeasuredUsage
    from twd_analytics.usage.statistics import ConnectionUsage
    from twd_analytics.usage.store import DayTotals

HISTORY_DAYS = 30
"""How many days the pictures show, the measured one last."""
_GREEN, _RED, _GREY, _BLUE = "#2da44e", "#cf222e", "#8c959f", "#2f6feb"
_MOST_NAMES = 10
# A page and its event stay small, however many databases there are.
_MOST_CONNECTIONS = 50


def connection_labels(known: Iterable[RegisteredConnection]) -> dict[str, str]:
    """Connection id → the partition key that people know it by."""
    return {item.connection_id: item.partition_key for item in known} | {
        "*": "all",
        "": "not known",
    }


def usage_metadata(
    measured: MeasuredUsage, labels: Mapping[str, str], history: Sequence[DayTotals]
) -> dict[str, Any]:
    """A summary in words, numbers over all connections, tables, and the month as a picture."""
    everything = measured.usage[0]
    metadata: dict[str, Any] = {
        "summary": dg.MetadataValue.md(
            _usage_summary(measured, labels) + _kept_because(measured.fewer)
        ),
        "last_30_days": dg.MetadataValue.md(_outcomes_picture(measured.day, history)),
        "total": everything.total,
        "successful": everything.successful,
        "failed": everything.failed,
        "unanswered": everything.unanswered,
        "unique_users": everything.unique_users,
        "by_connection": dg.MetadataValue.md(_usage_table(measured.usage, labels)),
        "top_tables": dg.MetadataValue.md(
            _table(
                ("connection", "table", "successful answers"),
                [
                    (_label(item["connection_id"], labels), escaped(item["table"]), item["count"])
                    for item in everything.top_tables
                ],
                _MOST_NAMES,
            )
        ),
        "top_columns": dg.MetadataValue.md(
            _table(
                ("connection", "column", "successful answers"),
                [
                    (
                        _label(item["connection_id"], labels),
                        escaped(f"{item['table']}.{item['column']}"),
                        item["count"],
                    )
                    for item in everything.top_columns
                ],
                _MOST_NAMES,
            )
        ),
        "most_common_sql_shapes": dg.MetadataValue.json(everything.most_common_shapes),
        "languages": dg.MetadataValue.json(
            {item["language"] or "not told": item["count"] for item in everything.languages}
        ),
    }
    for name in ("average_response_ms", "p50_response_ms", "p95_response_ms"):
        value = getattr(everything, name)
        if value is not None:
            metadata[name] = round(value, 1)
    return metadata


def accuracy_metadata(
    measured: MeasuredAccuracy, labels: Mapping[str, str], history: Sequence[DayRates]
) -> dict[str, Any]:
    """A summary in words, rates, what went wrong and where, and the month as a picture."""
    accuracy = measured.accuracy
    everything = accuracy.connections[0]
    tables = [name for name in accuracy.names if name.table_name and not name.column_name]
    columns = [name for name in accuracy.names if name.column_name]
    metadata: dict[str, Any] = {
        "summary": dg.MetadataValue.md(_accuracy_summary(measured) + _kept_because(measured.fewer)),
        "last_30_days": dg.MetadataValue.md(_rates_picture(measured.day, history)),
        "generated": everything.generated,
        "parsed": everything.parsed,
        "read_only": everything.read_only,
        "executed": everything.executed,
        "open_questions": len(measured.open_questions),
        "verdicts": dg.MetadataValue.json(everything.verdicts),
        "error_classes": dg.MetadataValue.json(everything.error_classes),
        "by_connection": dg.MetadataValue.md(_accuracy_table(measured, labels)),
        "by_model_version": dg.MetadataValue.md(_model_table(measured, labels)),
        "problematic_tables": dg.MetadataValue.md(_names_table(tables, labels)),
        "problematic_columns": dg.MetadataValue.md(_names_table(columns, labels)),
    }
    if everything.parsed_percent is not None and everything.executed_percent is not None:
        metadata["parsed_percent"] = everything.parsed_percent
        metadata["executed_percent"] = everything.executed_percent
    return metadata


def _kept_because(fewer: int) -> str:
    if not fewer:
        return ""
    return (
        f" **These are the numbers of before: {_counted(fewer, 'message')} that they were measured "
        "from are gone, or name no connection any more.** A run with the tag "
        f"{EVEN_IF_FEWER_TAG} measures what is left."
    )


def _usage_summary(measured: MeasuredUsage, labels: Mapping[str, str]) -> str:
    everything, *each = measured.usage
    if not everything.total:
        return f"On {measured.day} there were no answers, and no questions without one."
    words = [
        f"On {measured.day}, {_counted(everything.unique_users, 'user')} got "
        f"{_counted(everything.total, 'answer')}, a question without one counted as one: "
        f"**{_share(everything.successful, everything)}** had SQL that ran, "
        f"{_share(everything.failed, everything)} had SQL that failed, "
        f"{_share(everything.unanswered, everything)} had no SQL."
    ]
    if everything.p50_response_ms is not None and everything.p95_response_ms is not None:
        words.append(
            f"Half of the answers came within {everything.p50_response_ms / 1000:.1f} s, "
            f"95 % within {everything.p95_response_ms / 1000:.1f} s."
        )
    busiest = max(each, key=lambda item: item.total)
    words.append(f"Most were about {_label(busiest.connection_id, labels)} ({busiest.total:,}).")
    return " ".join(words)


def _share(part: int, usage: ConnectionUsage) -> str:
    return f"{part:,} ({100 * part / usage.total:.0f} %)"


def _accuracy_summary(measured: MeasuredAccuracy) -> str:
    everything = measured.accuracy.connections[0]
    if not everything.generated:
        return f"No SQL was generated on {measured.day}."
    words = [
        f"On {measured.day}, {_counted(everything.generated, 'answer')} had SQL: "
        f"{everything.parsed_percent} % of it parsed, **{everything.executed_percent} % ran**."
    ]
    faults = [item for item in everything.error_classes.items() if item[0] != "empty_result"]
    if faults:
        said = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in faults[:3])
        words.append(f"What went wrong most: {said}.")
    # A day that was measured before this was looked at does not say.
    if everything.read_only is not None and everything.read_only < everything.parsed:
        writes = _counted(everything.parsed - everything.read_only, "answer")
        words.append(f"**{writes} may have done more than read.**")
    unchecked = everything.verdicts.get("unchecked", 0)
    if unchecked:
        words.append(
            f"Names in {_counted(unchecked, 'answer')} were not held against a snapshot: there is "
            "none of the connection, it is no query, PostgreSQL alone can parse it, or it is too "
            "long."
        )
    if measured.open_questions:
        words.append(
            f"{_counted(len(measured.open_questions), 'question')} got no right answer from "
            "anybody's try; make suggestions lists them for training."
        )
    return " ".join(words)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _outcomes_picture(day: date, history: Sequence[DayTotals]) -> str:
    by_day = {one.day: one for one in history}
    days = _month_until(day)
    series = [
        Series(name, color, [getattr(by_day[at], name) if at in by_day else None for at in days])
        for name, color in (("successful", _GREEN), ("failed", _RED), ("unanswered", _GREY))
    ]
    return picture(stacked_bars(days, series), "Answers a day by outcome")


def _rates_picture(day: date, history: Sequence[DayRates]) -> str:
    by_day = {one.day: one for one in history if one.generated}
    days = _month_until(day)
    series = [
        Series(
            f"{name} %",
            color,
            [
                100 * getattr(by_day[at], name) / by_day[at].generated if at in by_day else None
                for at in days
            ],
        )
        for name, color in (("parsed", _BLUE), ("executed", _GREEN))
    ]
    return picture(percent_lines(days, series), "Share of generated SQL that parsed and ran")


def _month_until(day: date) -> list[date]:
    return [day - timedelta(days=back) for back in reversed(range(HISTORY_DAYS))]


def _usage_table(usage: Sequence[ConnectionUsage], labels: Mapping[str, str]) -> str:
    headings = (
        "connection",
        "total",
        "successful",
        "failed",
        "unanswered",
        "users",
        "mean ms",
        "p50 ms",
        "p95 ms",
    )
    everything, *each = usage
    rows = [
        (
            _label(item.connection_id, labels),
            item.total,
            item.successful,
            item.failed,
            item.unanswered,
            item.unique_users,
            _shown(item.average_response_ms),
            _shown(item.p50_response_ms),
            _shown(item.p95_response_ms),
        )
        for item in (everything, *sorted(each, key=lambda item: -item.total))
    ]
    return _table(headings, rows, _MOST_CONNECTIONS)


def _accuracy_table(measured: MeasuredAccuracy, labels: Mapping[str, str]) -> str:
    everything, *each = measured.accuracy.connections
    rows = [
        (
            _label(item.connection_id, labels),
            item.generated,
            _shown(item.parsed_percent),
            _shown(item.executed_percent),
            ", ".join(f"{name} {count}" for name, count in item.error_classes.items()) or "–",
        )
        for item in (everything, *sorted(each, key=lambda item: -item.generated))
    ]
    headings = ("connection", "generated", "parsed %", "executed %", "errors")
    return _table(headings, rows, _MOST_CONNECTIONS)


def _model_table(measured: MeasuredAccuracy, labels: Mapping[str, str]) -> str:
    rows = [
        (
            _label(item.connection_id, labels),
            item.model_version or "none",
            item.generated,
            _shown(100 * item.parsed / item.generated),
            _shown(100 * item.executed / item.generated),
        )
        for item in sorted(measured.accuracy.models, key=lambda item: -item.generated)
    ]
    headings = ("connection", "knowledge base", "generated", "parsed %", "executed %")
    return _table(headings, rows, _MOST_CONNECTIONS)


def _names_table(names: Sequence[NameAccuracy], labels: Mapping[str, str]) -> str:
    worst = sorted((name for name in names if name.failed), key=lambda name: -name.failed)
    rows = [
        (
            _label(name.connection_id, labels),
            escaped(".".join(part for part in (name.table_name, name.column_name) if part)),
            name.failed,
            name.generated,
            {True: "yes", False: "**no**", None: "–"}[name.is_known],
        )
        for name in worst
    ]
    headings = ("connection", "name", "failed", "generated", "in the snapshot")
    return _table(headings, rows, _MOST_NAMES)


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]], most: int) -> str:
    if not rows:
        return "None."
    lines = [headings, ["---"] * len(headings), *rows[:most]]
    table = "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
    return table if len(rows) <= most else f"{table}\n\n… and {len(rows) - most:,} more."


def _label(connection_id: str, labels: Mapping[str, str]) -> str:
    return escaped(labels.get(connection_id, f"connection {connection_id}"))


def _shown(number: float | None) -> str:
    return "–" if number is None else f"{number:,.1f}".removesuffix(".0")
