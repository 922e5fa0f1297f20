"""What the figures are made of: pure functions of what was read from storage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.fleet.storage import Run, Tick, Written


class SensorTicks(NamedTuple):
    """One sensor's ticks: how many, of them failed, and seconds that they took."""

    sensor: str
    ticks: int
    failed: int
    median: float
    slowest: float


def most_at_once(runs: Iterable[Run]) -> int:
    """The most runs that had a place at the same moment, by the times of their events.

    One that ends in the moment in which another begins has given its place to it.
    """
    changes: list[tuple[float, int]] = []
    for run in runs:
        if run.begun is not None:
            changes.append((run.begun, 1))
            if run.ended is not None:
                changes.append((run.ended, -1))
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def slot_use(runs: Iterable[Run], slots: int, begun: float, ended: float) -> float:
    """Share of the slots' time between two moments in which a run had them."""
    taken = sum(
        max(0.0, min(run.ended or ended, ended) - max(run.begun, begun))
        for run in runs
        if run.begun is not None
    )
    return taken / (slots * (ended - begun))


def sensor_ticks(ticks: Iterable[Tick], now: float) -> list[SensorTicks]:
    """By sensor, slowest first; a tick that goes on has taken until `now`."""
    by_sensor: dict[str, list[Tick]] = {}
    for tick in ticks:
        by_sensor.setdefault(tick.sensor, []).append(tick)
    told = [
        SensorTicks(
            sensor,
            len(of_sensor),
            sum(tick.status == "FAILURE" for tick in of_sensor),
            median(seconds := [(tick.ended or now) - tick.begun for tick in of_sensor]),
            max(seconds),
        )
        for sensor, of_sensor in by_sensor.items()
    ]
    return sorted(told, key=lambda one: -one.slowest)


def first_written(written: Iterable[Written], asset: str) -> dict[str, float]:
    """Partition → when the asset of it was first materialized."""
    first: dict[str, float] = {}
    for one in written:
        if one.asset == asset:
            first[one.partition] = min(one.at, first.get(one.partition, one.at))
    return first


def written_again(written: Iterable[Written]) -> list[Written]:
    """Materializations of a partition of an asset beyond the first, in the order given."""
    seen: set[tuple[str, str]] = set()
    again: list[Written] = []
    for one in written:
        place = (one.asset, one.partition)
        if place in seen:
            again.append(one)
        seen.add(place)
    return again


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many of `values` do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
