"""One round: work begins, a fault strikes at a random moment of it, and the stack is left alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx
import psycopg2

from benchmarks.drill.faults import Fault
from benchmarks.drill.rig import Rig, until
from benchmarks.drill.truth import Source, differences, held
from benchmarks.drill.work import begin
from benchmarks.ticks import TICKS
from twd_local.stack.errors import StackError

HEAL_SECONDS = 420
_TICK_SECONDS = 180
_SENSORS = (
    "new_connection_sensor",
    "schema_change_sensor",
    "training_data_sensor",
    "schema_automation_sensor",
    "training_automation_sensor",
    "analytics_automation_sensor",
)
_NEWEST_TICK = "select coalesce(max(id), 0) from job_ticks"
_GOOD_SINCE = f"""
select distinct name from {TICKS} where id > %s and status in ('SUCCESS', 'SKIPPED')
"""
_GOING_ON = """
select count(*) from runs
where status in ('QUEUED', 'NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING')
"""


@dataclass(frozen=True, slots=True)
class Round:
    """What happened in one; seconds are None where it was not in time."""

    number: int
    work: str
    fault: str
    struck_after: float
    good_tick: float | None
    healed: float | None
    left: list[str]
    """What was wrong at the deadline, or with the round itself; [] when all was well."""

    @property
    def is_consistent(self) -> bool:
        """Whether the fault struck and the stack healed by itself."""
        return not self.left


def play(
    rig: Rig, sources: list[Source], number: int, work: str, fault: Fault, random: Random
) -> Round:
    """Play round `number` and wait until the stack is well, or the deadline has passed."""
    began = time.monotonic()
    begin(work, rig, sources, number, random)
    time.sleep(random.uniform(0, fault.latest_seconds))
    struck_after = time.monotonic() - began
    has_struck = fault.strike(rig)
    lifted = time.monotonic()
    good_tick = _until_good_ticks(rig)
    state = _Wellness(rig, sources)
    healed = until(state.is_well, HEAL_SECONDS, pause=3)
    return Round(
        number,
        work,
        fault.name,
        struck_after,
        good_tick,
        None if healed is None else time.monotonic() - lifted,
        [
            *([] if has_struck else ["there was nothing to strike"]),
            *(state.wrong if healed is None else []),
        ],
    )


def settle(rig: Rig, sources: list[Source]) -> list[str]:
    """Wait until the stack is well; what is wrong at the deadline."""
    state = _Wellness(rig, sources)
    return [] if until(state.is_well, HEAL_SECONDS, pause=3) is not None else state.wrong


class _Wellness:
    """Asks whether all is well and remembers what was not."""

    def __init__(self, rig: Rig, sources: list[Source]) -> None:
        self._rig = rig
        self._sources = sources
        self.wrong: list[str] = []

    def is_well(self) -> bool:
        """Whether nothing is going on, nothing is held, and all that is kept is true."""
        try:
            self.wrong = self._look()
        except (StackError, psycopg2.Error, httpx.HTTPError) as error:
            self.wrong = [f"cannot be asked: {error}"]
        return not self.wrong

    def _look(self) -> list[str]:
        with _metadata(self._rig) as cursor:
            cursor.execute(_GOING_ON)
            [(count,)] = cursor.fetchall()
        if count:
            return [f"{count} runs are going on"]
        return [*held(self._rig), *differences(self._rig, self._sources)]


def _until_good_ticks(rig: Rig) -> float | None:
    """Seconds until each sensor has ended a tick well that began after now."""
    started = time.monotonic()
    newest: list[int] = []

    def is_known() -> bool:
        newest.extend(number for (number,) in _rows_if_any(rig, _NEWEST_TICK))
        return bool(newest)

    def have_ticked() -> bool:
        return {name for (name,) in _rows_if_any(rig, _GOOD_SINCE, newest[0])} >= set(_SENSORS)

    if until(is_known, _TICK_SECONDS) is None or until(have_ticked, _TICK_SECONDS) is None:
        return None
    return time.monotonic() - started


def _rows_if_any(rig: Rig, query: str, *values: int) -> list[tuple[Any, ...]]:
    """What storage says; nothing while it is away."""
    try:
        with _metadata(rig) as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()
    except psycopg2.Error:
        return []


@contextmanager
def _metadata(rig: Rig) -> Iterator[psycopg2.extensions.cursor]:
    connected = closing(psycopg2.connect(rig.metadata, connect_timeout=5))
    with connected as connection, connection.cursor() as cursor:
        yield cursor
