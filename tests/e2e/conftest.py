"""The whole stack as `make up` starts it, in a folder and on ports of its own."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from twd_local.dagster_api import SOURCE_ASSETS, DagsterApi
from twd_local.sources import ensure_reader_role, load_source, with_database, with_login
from twd_local.stack.connect import register
from twd_local.stack.environment import admin_dsn
from twd_local.stack.home import Home
from twd_local.stack.lifecycle import clean, up
from twd_local.stack.plan import Stack

from ..servers_folder import servers_folder

READER, PASSWORD = "e2e_reader", "e2e-canary-51c7"
SHOP = "shop"

_QUICK = {
    "TWD_NEW_CONNECTION_SECONDS": "5",
    "TWD_SCHEMA_CHANGE_SECONDS": "5",
    "TWD_AUTOMATION_SECONDS": "5",
    "TWD_RUN_RETRY_SECONDS": "1",
    "TWD_MAX_CONCURRENT_RUNS": "6",
    "TWD_PORTS": "free",
}

_PARTITIONS = """
query ($keys: [AssetKeyInput!], $partition: String!) {
  assetNodes(assetKeys: $keys) {
    assetKey { path }
    isMaterializable
    staleStatusByPartition(partitions: [$partition])
    latestMaterializationByPartition(partitions: [$partition]) {
      timestamp runId
      metadataEntries { label ... on IntMetadataEntry { intValue } }
    }
  }
}
"""
_RUNS = """
query ($partition: String!) {
  runsOrError(filter: {tags: [{key: "dagster/partition", value: $partition}]}) {
    ... on Runs { results { runId jobName status creationTime startTime endTime } }
  }
}
"""
_LAUNCH = """
mutation ($job: String!, $location: String!, $partition: String!) {
  launchRun(executionParams: {
    selector: {
      repositoryLocationName: $location, repositoryName: "__repository__", jobName: $job
    }
    runConfigData: "{}"
    executionMetadata: {tags: [{key: "dagster/partition", value: $partition}]}
  }) { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } }
}
"""

# So much slower a machine may be that others share, and nothing is wrong for that.
TIMES_SLOWER = 3


def until(fact: Callable[[], Any], what: str, seconds: float = 120.0) -> Any:
    """The fact once it is true; fails naming `what` at the deadline.

    `seconds` are those of a machine that does nothing else.
    """
    seconds *= TIMES_SLOWER
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = fact()
        if found:
            return found
        time.sleep(0.5)
    pytest.fail(f"not within {seconds:g} s: {what}")


class RunningStack:
    """A started stack with what the tests ask of it."""

    def __init__(self, home: Home, stack: Stack) -> None:
        self.home = home
        self.stack = stack
        self.api = DagsterApi(stack.ui_url)
        self.admin = admin_dsn(home, stack.ports)

    def connect(self, name: str, dsn: str) -> int:
        """Register a source through the application's API."""
        return register(self.stack.environment["TWD_API_URL"], name, dsn)[0]

    def load(self, sample: str, database: str) -> str:
        """Load a sample source; gives its read-only address."""
        ensure_reader_role(self.admin, READER, PASSWORD)
        load_source(self.admin, sample, READER, database=database)
        return with_login(with_database(self.admin, database), READER, PASSWORD)

    def alter(self, database: str, statement: str) -> None:
        """Change a source's schema, as its owner would."""
        with closing(psycopg2.connect(with_database(self.admin, database))) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)

    def assets(self, partition: str) -> dict[str, dict[str, Any]]:
        """Asset → stale status, newest materialization and its numbers."""
        keys = [{"path": asset.split("/")} for asset in SOURCE_ASSETS]
        found: dict[str, dict[str, Any]] = {}
        for node in self.api.ask(_PARTITIONS, keys=keys, partition=partition)["assetNodes"]:
            if node["isMaterializable"]:
                [newest] = node["latestMaterializationByPartition"]
                [stale] = node["staleStatusByPartition"]
                entries = newest["metadataEntries"] if newest else []
                found["/".join(node["assetKey"]["path"])] = {
                    "stale": stale,
                    "at": float(newest["timestamp"]) / 1000 if newest else None,
                    "numbers": {entry["label"]: entry.get("intValue") for entry in entries},
                }
        return found

    def everything_is_fresh(self, partition: str) -> bool:
        """Whether each asset of the source is materialized and no input has changed since."""
        assets = self.assets(partition)
        return len(assets) == len(SOURCE_ASSETS) and all(
            asset["at"] and asset["stale"] == "FRESH" for asset in assets.values()
        )

    def runs(self, partition: str) -> list[dict[str, Any]]:
        """Every run of the partition, newest first."""
        return self.api.ask(_RUNS, partition=partition)["runsOrError"]["results"]

    def launch(self, job: str, location: str, partition: str) -> str:
        """Start a run as the UI does; gives its id."""
        answer = self.api.ask(_LAUNCH, job=job, location=location, partition=partition)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]


@pytest.fixture(scope="session")
def running() -> Iterator[RunningStack]:
    """The stack, up, with a source just connected; everything of it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="twd-e2e-", dir=servers_folder()) as folder:
        # PostgreSQL, if root started it, runs as another user and must come through this folder.
        Path(folder).chmod(0o711)
        home = Home.from_environment({"TWD_HOME": f"{folder}/home"})
        environment = {**os.environ, **_QUICK}
        try:
            running = RunningStack(home, up(home, environment))
            with closing(running.api):
                # At once, so that it is imported while the first test waits for something else.
                running.connect(SHOP, running.load("chinook", SHOP))
                yield running
        finally:
            clean(home)


@pytest.fixture(scope="module")
def shop(running: RunningStack) -> str:
    """The source, all of whose assets were materialized by sensors and conditions and are fresh."""
    until(lambda: running.everything_is_fresh(SHOP), "every asset of shop is fresh", 180)
    return SHOP
