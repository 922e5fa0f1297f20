"""Ours, pg_dump and the limit on one database, in turn, each as a process of its own."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

_ROOT = Path(__file__).parents[1]
_SCHEMA_PYTHON = _ROOT / "locations/schema/.venv/bin/python"


@dataclass(slots=True)
class Times:
    """What the rounds on one database took: medians, in seconds where nothing else is said."""

    readings: list[dict[str, Any]] = field(default_factory=list)
    """What `extraction_reading` printed in each round."""
    pg_dump_seconds: list[float] = field(default_factory=list)
    limit_seconds: list[float] = field(default_factory=list)

    @property
    def ours(self) -> float:
        """Reading, DDL and fingerprints."""
        return median(reading["seconds"] for reading in self.readings)

    @property
    def pg_dump(self) -> float:
        """`pg_dump --schema-only` to nowhere."""
        return median(self.pg_dump_seconds)

    @property
    def limit(self) -> float:
        """The queries of ours through psql to nowhere."""
        return median(self.limit_seconds)

    @property
    def peak_mib(self) -> float:
        """The most memory that ours had in use, over all rounds."""
        return max(reading["peak_mib"] for reading in self.readings)

    @property
    def facts(self) -> dict[str, Any]:
        """What is the same in every round."""
        return self.readings[-1]

    def part(self, name: str) -> float:
        """A part of ours."""
        return median(reading["parts"][name] for reading in self.readings)


class Contestants:
    """The three programs; each is given a database by libpq's environment variables."""

    def __init__(self, bin_dir: Path, major: int) -> None:
        """`bin_dir` holds pg_dump and psql of the server's own release, which `major` is."""
        self._pg_dump = [str(bin_dir / "pg_dump"), "--schema-only", "--file=/dev/null"]
        self._psql = [str(bin_dir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        self._queries = run_in_schema("benchmarks.catalog_queries", str(major))

    def add_round(self, environment: Mapping[str, str], times: Times) -> None:
        """Run each once and add what it took."""
        reading = run_in_schema("benchmarks.extraction_reading", environment=environment)
        times.readings.append(json.loads(reading))
        times.pg_dump_seconds.append(_seconds(self._pg_dump, environment))
        times.limit_seconds.append(_seconds(self._psql, environment, self._queries))


def run_in_schema(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> str:
    """What a module of the benchmarks prints when the schema location's environment runs it."""
    done = subprocess.run(
        [str(_SCHEMA_PYTHON), "-m", module, *arguments],
        cwd=_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def _seconds(command: list[str], environment: Mapping[str, str], script: str = "") -> float:
    started = time.perf_counter()
    subprocess.run(
        command, env=environment, input=script, text=True, stdout=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - started
