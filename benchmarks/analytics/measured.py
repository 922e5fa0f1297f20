"""One measured way of reading a day of messages, in a process of its own so that its memory counts.

`python -m benchmarks.analytics.measured WAY DSN ROUNDS` prints a JSON object; `run` calls it.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.analytics.ways import WAYS


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians of the rounds, the most memory the process had, and what was found.

    `processor` are the seconds of both cores that the process used, without those of PostgreSQL.
    """

    seconds: float
    processor: float
    peak_mib: float
    found: dict[str, Any]


def run(way: str, dsn: str, rounds: int) -> Cost:
    """Measure one of the `WAYS` in a new process."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, way, dsn, str(rounds)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Cost(**json.loads(done.stdout))


def _measured(read: Callable[[str], dict[str, Any]], dsn: str, rounds: int) -> dict[str, Any]:
    seconds: list[float] = []
    processor: list[float] = []
    found: dict[str, Any] = {}
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        found = read(dsn)
        seconds.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    return {
        "seconds": statistics.median(seconds),
        "processor": statistics.median(processor),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "found": found,
    }


if __name__ == "__main__":
    print(json.dumps(_measured(WAYS[sys.argv[1]], sys.argv[2], int(sys.argv[3]))))
