"""What statistics of messages cost, and how right verdicts are: `python -m benchmarks.analytics`.

A day of a million messages and one of five million are measured, in turn with reading the same
columns through ADBC and nothing more, and with a loop over rows of SQLAlchemy. Statements are
checked, days back-filled, and the verdict of SQL is compared with PostgreSQL's own EXPLAIN.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.analytics import backfill, checking, sources, verdict_agreement
from benchmarks.analytics.measured import Cost, run
from benchmarks.analytics.message_data import fill_day, fill_days
from benchmarks.analytics.verdict_set import read_schemas
from benchmarks.analytics.ways import DAY
from benchmarks.figures import Figure, say, table
from benchmarks.services import Services, services
from twd_shared.clients.catalog import Connection

_MILLION = 1_000_000
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class _Days:
    """Costs of each way, by its name, of a day of one million; ours of a day of five."""

    one: dict[str, Cost]
    five: Cost


def main() -> int:
    """Measure, report; 1 if a figure is short of its target, else 0."""
    # Dagster tells each step of 300 days.
    logging.disable(logging.INFO)
    with services() as servers, tempfile.TemporaryDirectory() as folder:
        connections = [
            Connection(f"{number}", name, "postgresql", True, servers.source(name))
            for number, name in enumerate(("pagila", "chinook", "northwind"), start=1)
        ]
        known = {
            one.connection_id: read_schemas(one.connection_string)["public"] for one in connections
        }
        sources.keep(Path(folder), known)
        days = _measure_days(servers)
        checked = checking.measure(servers.database("day_of_1_million"))
        filled = _measure_backfill(servers, connections)
    agreement = verdict_agreement.measure()
    print(
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, polars {version('polars')}, "
        f"ADBC {version('adbc-driver-postgresql')}, sqlglot {version('sqlglot')}"
    )
    _report(days, checked, filled)
    figures = _figures(days, checked, filled)
    if agreement is None:
        print(f"\nNo question set in {verdict_agreement.DATA}: verdict_agreement is left out.")
    else:
        verdict_agreement.report(agreement)
        figures += verdict_agreement.figures(agreement)
    print()
    return say(figures)


def _measure_days(servers: Services) -> _Days:
    one = servers.database("day_of_1_million")
    fill_day(one, DAY, _MILLION)
    costs = {
        "read_alone": run("read_alone", one, _ROUNDS),
        "ours": run("ours", one, _ROUNDS),
        "row_loop": run("row_loop", one, _ROUNDS),
    }
    ours, loop = costs["ours"].found, costs["row_loop"].found
    if ours != loop:
        raise RuntimeError(f"the ways do not agree: ours {ours}, row by row {loop}")
    five = servers.database("day_of_5_million")
    fill_day(five, DAY, 5 * _MILLION)
    return _Days(costs, run("ours", five, 1))


def _measure_backfill(servers: Services, connections: list[Connection]) -> backfill.Backfill:
    application, metadata = servers.database("many_days"), servers.database("metadata_of_days")
    fill_days(application, backfill.FIRST, backfill.DAYS, backfill.MESSAGES_A_DAY)
    backfill.prepare(metadata, connections)
    return backfill.measure(metadata, application)


def _figures(days: _Days, checked: checking.Checking, filled: backfill.Backfill) -> list[Figure]:
    ours = days.one["ours"]
    return [
        Figure("analytics_day_vs_row_loop", ours.seconds / days.one["row_loop"].seconds, 0.25),
        Figure("analytics_day_vs_adbc_alone", ours.seconds / days.one["read_alone"].seconds, 1.2),
        Figure("analytics_day_peak_mib", ours.peak_mib, 1024),
        Figure("analytics_5m_vs_1m", days.five.seconds / ours.seconds, 6),
        Figure("analytics_checking_vs_pure_parsing", checked.ours / checked.pure, 0.5),
        Figure("analytics_backfill_seconds", filled.seconds, 300),
        Figure("analytics_backfill_days", filled.days, backfill.DAYS, is_least=True),
        Figure("analytics_backfill_runs", filled.runs, backfill.DAYS / 50),
    ]


def _report(days: _Days, checked: checking.Checking, filled: backfill.Backfill) -> None:
    names = {
        "ours": "statistics of 1M messages",
        "read_alone": "ADBC to polars alone, 1M",
        "row_loop": "SQLAlchemy row loop, 1M",
    }
    costs = {names[way]: cost for way, cost in days.one.items()}
    costs["statistics of 5M messages"] = days.five
    rows = [
        (name, f"{cost.seconds:.2f}", f"{cost.processor:.2f}", f"{cost.peak_mib:,.0f}")
        for name, cost in costs.items()
    ]
    print()
    print(table(("", "seconds", "processor s", "peak MiB"), rows))
    print(
        f"\n{checking.STATEMENTS:,} distinct statements parsed and checked: {checked.ours:.2f} s "
        f"({checked.shapes:,} shapes); "
        f"parsed in Python alone: {checked.pure:.2f} s"
    )
    print(
        f"back-fill of {filled.days} days of {backfill.MESSAGES_A_DAY:,} messages: "
        f"{filled.seconds:.1f} s in {filled.runs} runs"
    )


if __name__ == "__main__":
    sys.exit(main())
