"""What the measurements of extraction say: tables for people, and the figures."""

from __future__ import annotations

import os
import platform
from typing import Any, NamedTuple

from benchmarks.extraction_rounds import Times
from benchmarks.figures import Figure, table

_COUNTS = ("tables", "partitions", "columns", "objects", "statements")
_PARTS = ("read", "DDL", "fingerprints")


class Results(NamedTuple):
    """Everything that was measured."""

    tables: int
    """How many the large database has; the small one has a tenth."""
    large: Times
    small: Times
    distant: Times
    """The small one, from far away."""
    round_trip_seconds: float
    """How far away that was."""
    rounds: int
    saving: dict[str, Any]
    """What `snapshot_saving` printed."""


def figures(results: Results) -> list[Figure]:
    """The figures, named after the number of tables that they were measured with."""
    large, small, saving = results.large, results.small, results.saving
    many, few = results.tables, results.tables // 10
    stray_rows = sum(abs(rows - saving["changed_tables"]) for rows in saving["changed_rows"])
    return [
        Figure(f"extraction_vs_pg_dump_{many}", large.ours / large.pg_dump, 0.45),
        Figure(f"extraction_vs_limit_{many}", large.ours / large.limit, 1.5),
        Figure(f"extraction_peak_memory_mib_{many}", large.peak_mib, 300),
        Figure(f"extraction_{many}_vs_{few}", large.ours / small.ours, 12),
        Figure(
            f"extraction_vs_pg_dump_{few}_5ms",
            results.distant.ours / results.distant.pg_dump,
            0.04,
        ),
        Figure(f"snapshot_save_unchanged_seconds_{many}", saving["unchanged_seconds"], 0.3),
        Figure("snapshot_save_new_object_rows", saving["unchanged_rows"], 0),
        Figure("snapshot_save_rows_minus_changed", stray_rows, 0),
    ]


def report(results: Results) -> str:
    """Tables for people, with the machine and the versions."""
    columns = (results.large, results.small, results.distant)
    facts, saving = results.large.facts, results.saving
    few = results.tables // 10
    milliseconds = results.round_trip_seconds * 1000
    header = ("", f"{results.tables} tables", f"{few} tables", f"{few}, {milliseconds:.1f} ms away")
    rows = [
        *([name, *(f"{item.facts[name]:,}" for item in columns)] for name in _COUNTS),
        *([f"  {name}", *(_seconds(item.part(name)) for item in columns)] for name in _PARTS),
        ["ours", *(_seconds(item.ours) for item in columns)],
        ["pg_dump --schema-only", *(_seconds(item.pg_dump) for item in columns)],
        ["same queries by psql, one session", *(_seconds(item.limit) for item in columns)],
        ["peak memory of ours", *(f"{item.peak_mib:.0f} MiB" for item in columns)],
    ]
    saves = [
        ["first", _seconds(saving["first_seconds"])],
        ["unchanged", _seconds(saving["unchanged_seconds"])],
        [f"{saving['changed_tables']} tables changed", _seconds(saving["changed_seconds"])],
    ]
    return "\n".join(
        (
            f"Extraction of realistic schemas, medians of {results.rounds} rounds",
            f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}; "
            f"PostgreSQL, pg_dump and psql {facts['server']}; {facts['client']}",
            "",
            table(header, rows),
            "",
            table((f"Save of the snapshot of {results.tables} tables", ""), saves),
        )
    )


def _seconds(value: float) -> str:
    return f"{value:.3f} s"
