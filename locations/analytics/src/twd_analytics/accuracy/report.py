"""From a day's answers to how right the generated SQL was, per connection and over all.

*generated*: answers with SQL; *parsed*: of those, the text parses in the connection's dialect;
*executed*: of those generated, the database gave a result and no error. An answer has at most one
error class: that of the database's error, else "syntax" if the text does not parse, else a name
that the day's snapshot does not hold, else "other"; "empty_result" is executed without rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from twd_analytics.accuracy.errors import ErrorClass, class_of_error
from twd_analytics.generated_sql.names import KnownNames
from twd_analytics.generated_sql.parsing import statements_of
from twd_analytics.usage.statistics import ALL, judge

_MOST_TABLES = 10
_KINDS = ("connection_id", "sql", "parses", "executed", "result", "error", "tables")


@dataclass(slots=True)
class ConnectionAccuracy:
    """One connection's day. `problematic_tables`: tables of SQL that did not run, most failures
    first, [{connection_id, table, failed, generated, in_snapshot}]; in_snapshot None = unknown."""

    connection_id: str
    generated: int = 0
    parsed: int = 0
    executed: int = 0
    model_version: int | None = None
    error_classes: dict[str, int] = field(default_factory=dict)
    problematic_tables: list[dict[str, Any]] = field(default_factory=list)

    @property
    def parsed_percent(self) -> float | None:
        """Share of generated SQL that parses, in percent; None without any."""
        return _percent(self.parsed, self.generated)

    @property
    def executed_percent(self) -> float | None:
        """Share of generated SQL that ran, in percent; None without any."""
        return _percent(self.executed, self.generated)

    def as_row(self) -> dict[str, Any]:
        """The values by column of `twd.daily_sql_accuracy`, without the day."""
        return asdict(self)


def accuracy_of_day(
    answers: pl.DataFrame,
    db_types: Mapping[str, str],
    names_of: Callable[[str], KnownNames | None],
    model_versions: Mapping[str, int],
) -> list[ConnectionAccuracy]:
    """Accuracy of a day, first over all connections, then each that was given SQL.

    `names_of`: connection id → names of its snapshot of that day, None if there was none;
    `model_versions`: connection id → version of the knowledge base that was live.
    """
    generated = judge(answers, db_types).filter(pl.col("sql").is_not_null())
    kinds = generated.group_by(_KINDS).agg(pl.len().alias("count")).to_dicts()
    owners = sorted({kind["connection_id"] for kind in kinds})
    names = {owner: names_of(owner) for owner in owners}
    for kind in kinds:
        owner = kind["connection_id"]
        kind["class"] = _class_of(kind, db_types.get(owner, ""), names[owner])
    report = [_summary(ALL, kinds, names)]
    for owner in owners:
        own = [kind for kind in kinds if kind["connection_id"] == owner]
        report.append(_summary(owner, own, names))
        report[-1].model_version = model_versions.get(owner)
    return report


def _class_of(kind: Mapping[str, Any], db_type: str, names: KnownNames | None) -> ErrorClass | None:
    if kind["executed"]:
        return "empty_result" if kind["result"] == "empty" else None
    told = class_of_error(kind["error"]) if kind["error"] else None
    if told is not None:
        return told
    if not kind["parses"]:
        return "syntax"
    fault = names.fault_of(statements_of(kind["sql"], db_type)) if names else None
    return fault or "other"


def _summary(
    connection_id: str,
    kinds: Iterable[Mapping[str, Any]],
    names: Mapping[str, KnownNames | None],
) -> ConnectionAccuracy:
    summary = ConnectionAccuracy(connection_id)
    classes: Counter[str] = Counter()
    asked: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    for kind in kinds:
        count = kind["count"]
        summary.generated += count
        summary.parsed += count * kind["parses"]
        summary.executed += count * kind["executed"]
        if kind["class"]:
            classes[kind["class"]] += count
        for table in kind["tables"] or ():
            key = (kind["connection_id"], table)
            asked[key] += count
            failed[key] += count * (not kind["executed"])
    summary.error_classes = dict(sorted(classes.items(), key=lambda item: (-item[1], item[0])))
    worst = sorted(((key, n) for key, n in failed.items() if n), key=lambda i: (-i[1], i[0]))
    for (owner, table), count in worst[:_MOST_TABLES]:
        known = names[owner]
        summary.problematic_tables.append(
            {
                "connection_id": owner,
                "table": table,
                "failed": count,
                "generated": asked[owner, table],
                "in_snapshot": known.knows_table(table) if known else None,
            }
        )
    return summary


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None
