"""How long something takes, and how much of this process's CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple


class Taken(NamedTuple):
    """Seconds of the clock, and of CPU in all threads of this process."""

    seconds: float
    cpu_seconds: float


def clocked(work: Callable[[], object]) -> Taken:
    """What it takes to do it once."""
    started, cpu_started = time.perf_counter(), time.process_time()
    work()
    return Taken(time.perf_counter() - started, time.process_time() - cpu_started)


def middle(taken: list[Taken]) -> Taken:
    """The medians."""
    return Taken(median(one.seconds for one in taken), median(one.cpu_seconds for one in taken))
