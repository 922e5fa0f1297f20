"""Each location deployed in turn, with runs in flight in all of them and every sensor ticking."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from twd_local.deploy.__main__ import main
from twd_local.deploy.local import deploy_locally
from twd_local.deploy.release import current
from twd_local.stack.errors import StackError
from twd_local.stack.home import REPOSITORY
from twd_local.stack.names import LOCATIONS
from twd_local.stack.supervision import Supervisor

from .automation_log import Instigator, automation
from .conftest import SHOP, TIMES_SLOWER, RunningStack, until
from .versions import (
    LAST_WORDS,
    MISSING_MODULE,
    NEW_DESCRIPTION,
    new_version,
    version_that_does_not_load,
    version_that_does_not_serve,
)

pytestmark = pytest.mark.e2e

# Beside its interval a tick may wait for a thread of the daemon, and for two processors that load
# code for a deploy: 10 s were once too few. A tick that met no server is a failure, however soon.
PATIENCE_SECONDS = 20.0 * TIMES_SLOWER

DAY = "2026-01-02"
# The job and partition of a run in each location, and the lock under which it writes.
IN_FLIGHT = {
    "schema": ("schema_sync_job", SHOP, "twd.snapshots:{shop}"),
    "training": ("training_job", SHOP, "twd.training:{shop}"),
    "analytics": ("analytics_job", DAY, f"twd.measured_days:usage:{DAY}"),
}
_RUNS = """
query ($ids: [String!]) { runsOrError(filter: {runIds: $ids}) {
  ... on Runs { results { runId status } }
} }
"""


@dataclass(frozen=True, slots=True)
class Switch:
    """A server of `location` that was replaced; times are seconds since the epoch."""

    location: str
    began: float
    server_started: float
    ended: float


@dataclass
class Deploys:
    """The stack under deploys: which runs are in flight, and what was deployed."""

    running: RunningStack
    writer: psycopg2.extensions.connection
    runs: list[str] = field(default_factory=list[str])
    switches: list[Switch] = field(default_factory=list[Switch])

    def launch(self, location: str) -> None:
        """Start one more run in `location`, which ends when the locks are given back."""
        job, partition, _ = IN_FLIGHT[location]
        self.runs.append(self.running.launch(job, location, partition))

    def deploy(self, location: str, sources: Path, launching: bool = False) -> None:
        """Deploy; `launching` has one more run wait in the queue when the server goes."""
        began = 0.0

        def watch(message: str) -> None:
            nonlocal began
            print(message)
            if message.startswith("It serves when it is tried"):
                began = time.time()
                if launching:
                    self.launch(location)

        try:
            deploy_locally(self.running.home, location, sources, watch)
        finally:
            server_started = self._processes()[location]["start"]
            self.switches.append(Switch(location, began, server_started, time.time()))

    def pids(self) -> dict[str, int]:
        """Process id of each service."""
        return {name: process["pid"] for name, process in self._processes().items()}

    def release(self, location: str) -> Path:
        """What the next start of the location's server would serve."""
        path = current(self.running.home.releases, location)
        assert path is not None
        return path

    def description(self, location: str) -> str:
        """What the UI says of the location's automation sensor."""
        return next(
            one.description
            for one in automation(self.running.api)[location]
            if one.name == f"{location}_automation_sensor"
        )

    def _processes(self) -> dict[str, dict[str, Any]]:
        return Supervisor(self.running.home).processes()


@pytest.fixture(scope="module")
def deploys(running: RunningStack, shop: str) -> Iterator[Deploys]:
    """The stack with a run in flight in each location, waiting for another writer to be done."""
    with closing(psycopg2.connect(running.stack.environment["TWD_METADATA_DSN"])) as writer:
        under = Deploys(running, writer)
        cursor = writer.cursor()
        cursor.execute(
            "select connection_id from twd.connections where partition_key = %s", (shop,)
        )
        [connection_id] = cursor.fetchone() or ()
        for location in LOCATIONS:
            lock = IN_FLIGHT[location][2].format(shop=connection_id)
            cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (lock,))
            under.launch(location)

        def waiting() -> bool:
            cursor.execute("select from pg_locks where locktype = 'advisory' and not granted")
            return cursor.rowcount == len(LOCATIONS)

        until(waiting, "a run of each location waits for its lock")
        yield under


@pytest.fixture(scope="module")
def original(deploys: Deploys) -> dict[str, Path]:
    """What each location serves before anything is deployed."""
    return {location: deploys.release(location) for location in LOCATIONS}


@pytest.fixture(scope="module")
def new_sources(original: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_version(tmp_path_factory.mktemp("new"))


@pytest.fixture(scope="module")
def broken_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return version_that_does_not_load(tmp_path_factory.mktemp("broken"))


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_new_version_takes_over_and_no_other_process_changes(
    deploys: Deploys, original: dict[str, Path], new_sources: Path, location: str
) -> None:
    before = deploys.pids()
    deploys.deploy(location, new_sources, launching=True)
    assert _changed(before, deploys.pids()) == {location}
    assert deploys.release(location) != original[location]
    assert deploys.description(location) == NEW_DESCRIPTION.format(location=location)


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_version_with_an_import_error_is_refused_and_nothing_changes(
    deploys: Deploys,
    broken_sources: Path,
    location: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TWD_HOME", str(deploys.running.home.root))
    pids, release, began = deploys.pids(), deploys.release(location), time.time()
    assert main([location, "--from", str(broken_sources)]) == 1
    said = capsys.readouterr().err
    assert f"The new code of {location} does not serve when it is tried, so nothing" in said
    assert MISSING_MODULE in said
    assert deploys.pids() == pids
    assert deploys.release(location) == release
    found = automation(deploys.running.api)
    assert set(found) == set(LOCATIONS)
    assert _failed(found, set(LOCATIONS), began, time.time()) == []


def test_a_version_that_does_not_serve_in_its_place_gives_way_to_the_one_before(
    deploys: Deploys, tmp_path: Path
) -> None:
    location = "analytics"
    pids, release = deploys.pids(), deploys.release(location)
    port = deploys.running.stack.ports[location]
    with pytest.raises(StackError, match=f"{release.name}, serves again") as refused:
        deploys.deploy(location, version_that_does_not_serve(tmp_path, port))
    assert LAST_WORDS in str(refused.value)
    assert _changed(pids, deploys.pids()) == {location}
    assert deploys.release(location) == release
    assert deploys.description(location) == NEW_DESCRIPTION.format(location=location)


@pytest.mark.parametrize("location", LOCATIONS)
def test_going_back_is_a_deploy_of_the_sources_of_before(
    deploys: Deploys, original: dict[str, Path], location: str
) -> None:
    pids = deploys.pids()
    deploys.deploy(location, REPOSITORY)
    assert _changed(pids, deploys.pids()) == {location}
    assert deploys.release(location) == original[location]
    assert deploys.description(location) != NEW_DESCRIPTION.format(location=location)


def test_every_sensor_of_a_replaced_server_ticks_again(deploys: Deploys) -> None:
    for switch in deploys.switches:

        def seconds(switch: Switch = switch) -> float | None:
            sensors = automation(deploys.running.api)[switch.location]
            ends = [one.first_done(switch.server_started) for one in sensors if one.ticks_often]
            return None if None in ends else max(end or 0 for end in ends) - switch.server_started

        took = until(seconds, f"every sensor of {switch.location} ticks again")
        print(f"{switch.location}: every sensor ticks {took:.1f} s after the new server's start")


def test_no_sensor_of_another_location_misses_a_tick(deploys: Deploys) -> None:
    found = automation(deploys.running.api)
    for switch in deploys.switches:
        others = set(LOCATIONS) - {switch.location}
        assert _failed(found, others, switch.began, switch.ended) == []
        for one in (one for location in others for one in found[location] if one.ticks_often):
            gap = one.longest_gap(switch.began, switch.ended)
            assert gap <= (one.interval_seconds or 0) + PATIENCE_SECONDS, one.name


def test_every_run_ends_under_its_own_id_and_was_started_once(deploys: Deploys) -> None:
    # A server that dies while it starts a run may leave a process that tells its id and ends: what
    # counts is that one of them did the work.
    deploys.writer.rollback()

    def statuses() -> list[str]:
        found = deploys.running.api.ask(_RUNS, ids=deploys.runs)["runsOrError"]["results"]
        return [run["status"] for run in found]

    assert len(deploys.runs) == 2 * len(LOCATIONS)
    until(lambda: set(statuses()) <= {"SUCCESS", "FAILURE", "CANCELED"}, "every run is over")
    assert statuses() == ["SUCCESS"] * len(deploys.runs)
    with deploys.writer.cursor() as cursor:
        cursor.execute(
            "select run_id, count(*) from event_logs"
            " where run_id = any(%s) and dagster_event_type = 'PIPELINE_START' group by 1",
            (deploys.runs,),
        )
        assert dict(cursor.fetchall()) == dict.fromkeys(deploys.runs, 1)


def _changed(before: dict[str, int], now: dict[str, int]) -> set[str]:
    return {name for name in before | now if before.get(name) != now.get(name)}


def _failed(
    found: dict[str, list[Instigator]], locations: set[str], since: float, until: float
) -> list[str]:
    return [
        fault
        for location in locations
        for one in found[location]
        for fault in one.failed(since, until)
    ]
