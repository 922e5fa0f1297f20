"""What detection and sync cost: `python -m benchmarks.sync`.

A fleet of databases is asked whether it changed, in turn with SQLAlchemy's Inspector, and as many
more of them at a distance; a database of a thousand tables is imported and synced by whole Dagster
jobs; and the catalogues of statements of the tests are counted: each that changes a schema must be
noticed, and none that does not.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as XmlTree

from benchmarks.figures import Figure, say, table
from benchmarks.index.model_server import CALL_SECONDS, PARALLEL, TEXT_SECONDS, paced_ollama
from benchmarks.services import services
from benchmarks.sync import changes, fleet

_ROOT = Path(__file__).parents[2]
_SLOW_TEXT_SECONDS = 0.05
_TICK_SECONDS = 60

# (file, beginning of the test's name) of what counts, by what it shows.
_CATALOGUES = {
    "ddl_noticed_by_signal": ("test_signal.py", "test_no_kind_of_ddl_escapes_it"),
    "ddl_told_by_diff": ("test_drift.py", "test_a_change_gives_its_rules"),
    "maintenance_that_changes_nothing": ("test_drift.py", "test_maintenance_and_data"),
    "readings_cut_anywhere": ("test_partial_readings.py", ""),
    "openstreetmap_2019_to_2026": ("test_drift_openstreetmap.py", ""),
}
_BROKEN_RUN = 2


def main() -> int:
    """Measure, report; 1 if a figure is short of its target, else 0."""
    with services() as servers:
        addresses = fleet.make_fleet(servers)
        near = fleet.fleet(servers, addresses)
        far = fleet.at_a_distance(servers, addresses)
        costs: dict[str, changes.Costs] = {}
        for name, seconds in (("quick", TEXT_SECONDS), ("slow", _SLOW_TEXT_SECONDS)):
            with paced_ollama(seconds) as url:
                costs[name] = changes.costs(servers, url, name)
    counted = _counted()
    _say_fleet(near, far)
    for name, seconds in (("quick", TEXT_SECONDS), ("slow", _SLOW_TEXT_SECONDS)):
        _say_costs(costs[name], seconds)
    print("\nCatalogues of the tests: cases, and of them failed")
    print(table(("", "cases", "failed"), [(k, f"{a}", f"{b}") for k, (a, b) in counted.items()]))
    print()
    return say(_figures(near, far, costs, counted))


def _figures(
    near: fleet.Fleet,
    far: fleet.Distant,
    costs: Mapping[str, changes.Costs],
    counted: Mapping[str, tuple[int, int]],
) -> list[Figure]:
    batches = -(-costs["quick"].texts // changes.BATCH)
    return [
        Figure("sync_tick_vs_inspector", near.quiet / near.inspector, 0.12),
        Figure("sync_tick_changed_found", near.found, fleet.DATABASES / 10, is_least=True),
        Figure("sync_tick_1000_connections_seconds", far.seconds, _TICK_SECONDS),
        Figure("sync_tick_1000_connections_reached", far.reached, fleet.CONNECTIONS, is_least=True),
        Figure("sync_tick_memory_growth", far.growth, 1.05),
        Figure("sync_vs_import", costs["quick"].synced / costs["quick"].imported, 0.15),
        Figure("sync_vs_import_slow_model", costs["slow"].synced / costs["slow"].imported, 0.15),
        Figure("sync_embed_calls_minus_batches", costs["quick"].calls - batches, 0),
        Figure(
            "sync_ddl_kinds",
            min(counted["ddl_noticed_by_signal"][0], counted["ddl_told_by_diff"][0]),
            40,
            is_least=True,
        ),
        Figure(
            "sync_ddl_missed",
            counted["ddl_noticed_by_signal"][1] + counted["ddl_told_by_diff"][1],
            0,
        ),
        Figure(
            "sync_maintenance_kinds",
            counted["maintenance_that_changes_nothing"][0],
            20,
            is_least=True,
        ),
        Figure("sync_false_diffs", counted["maintenance_that_changes_nothing"][1], 0),
        Figure("sync_cut_readings_failed", counted["readings_cut_anywhere"][1], 0),
        Figure("sync_openstreetmap_failed", counted["openstreetmap_2019_to_2026"][1], 0),
    ]


def _counted() -> dict[str, tuple[int, int]]:
    """(cases, failed or skipped) of each catalogue."""
    files = sorted({f"tests/schema/{file}" for file, _ in _CATALOGUES.values()})
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        run = subprocess.run(
            [
                str(_ROOT / "locations/schema/.venv/bin/python"),
                *("-m", "pytest", "-q", f"--junitxml={report}", *files),
            ],
            cwd=_ROOT,
            check=False,
            stdout=subprocess.DEVNULL,
        )
        if run.returncode >= _BROKEN_RUN:
            raise RuntimeError(f"The tests of {', '.join(files)} cannot be run; try them alone.")
        cases = list(XmlTree.parse(report).getroot().iter("testcase"))  # noqa: S314 - our own
    found: dict[str, tuple[int, int]] = {}
    for name, (file, beginning) in _CATALOGUES.items():
        module = file.removesuffix(".py")
        outcomes = Counter(
            len(case) == 0
            for case in cases
            if case.get("classname", "").endswith(module)
            and case.get("name", "").startswith(beginning)
        )
        if not outcomes:
            raise RuntimeError(f"{file} has no test {beginning}: what is counted was renamed.")
        found[name] = (outcomes.total(), outcomes[False])
    return found


def _say_fleet(near: fleet.Fleet, far: fleet.Distant) -> None:
    print(f"{fleet.DATABASES} databases of {fleet.TABLES} tables, medians of {fleet.ROUNDS} rounds")
    rows: Sequence[tuple[str, float]] = (
        ("Inspector, one by one", near.inspector),
        ("the first tick: all are read", near.first),
        ("a tick, nothing changed", near.quiet),
        ("a tick, a tenth changed", near.tenth_changed),
    )
    print(
        table(
            ("", "time", "of Inspector"),
            [(name, f"{s:.3f} s", f"{s / near.inspector:.3f}") for name, s in rows],
        )
    )
    print(
        f"\n{fleet.CONNECTIONS} connections {1000 * fleet.ROUND_TRIP_SECONDS:g} ms away: "
        f"{far.reached} asked in {far.seconds:.1f} s; peak memory {far.growth:.3f} after three more"
    )


def _say_costs(costs: changes.Costs, text_seconds: float) -> None:
    print(
        f"\n1,000 tables by whole jobs; the model takes {1000 * CALL_SECONDS:g} ms a call and "
        f"{1000 * text_seconds:g} ms a text, {PARALLEL} calls at once"
    )
    rows = [
        ("import", costs.imported),
        (f"sync, {changes.CHANGED} tables changed", costs.synced),
        ("sync, nothing changed", costs.unchanged),
        ("its job with nothing in the steps", costs.bare),
    ]
    print(
        table(
            ("", "time", "of import"),
            [(name, f"{s:.2f} s", f"{s / costs.imported:.3f}") for name, s in rows],
        )
    )
    steps = costs.import_steps.keys()
    print(
        table(
            ("step", "import", "sync"),
            [(s, f"{costs.import_steps[s]:.2f} s", f"{costs.sync_steps[s]:.2f} s") for s in steps],
        )
    )


if __name__ == "__main__":
    sys.exit(main())
