"""What the sensors and schedules of each location did, as the UI lists it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from twd_local.dagster_api import DagsterApi

_TICKS = """
query { workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError {
  __typename
  ... on RepositoryLocation { repositories {
    sensors {
      name description minIntervalSeconds
      sensorState { ticks(limit: 200) { status timestamp endTimestamp error { message } } }
    }
    schedules {
      name scheduleState { ticks(limit: 200) { status timestamp endTimestamp error { message } } }
    }
  } }
} } } } }
"""
_OFTEN_SECONDS = 10
_DONE = ("SUCCESS", "SKIPPED")


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick; times are those of the daemon's clock, `ended` is None while it goes on."""

    status: str
    began: float
    ended: float | None
    error: str | None

    @property
    def is_done(self) -> bool:
        """Whether it did what it is for."""
        return self.status in _DONE and self.ended is not None


@dataclass(frozen=True, slots=True)
class Instigator:
    """A sensor or schedule with its newest ticks, oldest first; a schedule has no interval."""

    name: str
    description: str
    interval_seconds: int | None
    ticks: tuple[Tick, ...]

    @property
    def ticks_often(self) -> bool:
        """Whether it is a sensor that shows something in the time of a deploy."""
        return 0 < (self.interval_seconds or 0) <= _OFTEN_SECONDS

    def failed(self, since: float, until: float) -> list[str]:
        """What went wrong at the ticks that began in between."""
        return [
            f"{self.name}: {tick.error}"
            for tick in self.ticks
            if since <= tick.began <= until and tick.status == "FAILURE"
        ]

    def longest_gap(self, since: float, until: float) -> float:
        """Seconds without a tick, at least one of which is in between; endless if it is unknown."""
        began = [tick.began for tick in self.ticks]
        if not began or began[0] > since:
            return float("inf")
        began.append(max(until, began[-1]))
        pairs = [(one, two) for one, two in pairwise(began) if two >= since and one <= until]
        return max((two - one for one, two in pairs), default=0.0)

    def first_done(self, since: float) -> float | None:
        """When the first good tick that began after `since` had ended."""
        ends = (tick.ended for tick in self.ticks if tick.began >= since and tick.is_done)
        return next(ends, None)


def automation(api: DagsterApi) -> dict[str, list[Instigator]]:
    """Location → its sensors and schedules; a location that the UI cannot load is missing."""
    entries = api.ask(_TICKS)["workspaceOrError"]["locationEntries"]
    return {
        entry["name"]: list(_instigators(entry["locationOrLoadError"]["repositories"]))
        for entry in entries
        if entry["locationOrLoadError"]["__typename"] == "RepositoryLocation"
    }


def _instigators(repositories: list[dict[str, Any]]) -> Iterator[Instigator]:
    for repository in repositories:
        for found in (*repository["sensors"], *repository["schedules"]):
            state = found.get("sensorState") or found["scheduleState"]
            yield Instigator(
                found["name"],
                found.get("description") or "",
                found.get("minIntervalSeconds"),
                tuple(
                    Tick(
                        tick["status"],
                        tick["timestamp"],
                        tick["endTimestamp"],
                        (tick["error"] or {}).get("message"),
                    )
                    for tick in reversed(state["ticks"])
                ),
            )
