"""Each location as the release with the contract of before, beside the others as they are now.

That is what a team meets whose location is not deployed yet when another's is. The older code runs
with the packages of today: what is held against each other here is our own.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import CompositeTarget, GrpcServerTarget

from twd_local.stack.home import REPOSITORY
from twd_local.stack.names import LOCATIONS
from twd_local.stack.ports import assign_ports
from twd_local.stack.readiness import code_server_is_serving
from twd_local.stack.services import code_server_command

from .conftest import RunningStack, until

pytestmark = pytest.mark.e2e

CONTRACT = "libs/twd_shared/src/twd_shared/contract.py"


@dataclass(frozen=True, slots=True)
class Shown:
    """An asset as the UI and the daemon see it when all locations are loaded."""

    made_by: tuple[str, ...]
    declared_by: tuple[str, ...]
    owners: tuple[str, ...]
    partitions: str | None
    parents: frozenset[str]


@pytest.fixture(scope="module")
def sources_of_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources as they were when the contract got the form that it had before this one."""
    commits = _git("log", "--format=%H", "-2", "--", CONTRACT).split()
    if _git("diff", "--name-only", "HEAD", "--", CONTRACT):
        commits.insert(0, "what is not committed yet")
    if len(commits) < 2 or _git("rev-parse", "--is-shallow-repository") == "true":
        pytest.skip("the history of the contract is not here: fetch it with git fetch --unshallow")
    folder = tmp_path_factory.mktemp("before")
    parts = ["libs/twd_shared/src", *(f"locations/{name}/src" for name in LOCATIONS)]
    archive = folder / "sources.tar"
    _git("archive", "--output", str(archive), commits[1], "--", *parts)
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def ports_of_before(running: RunningStack, sources_of_before: Path) -> Iterator[dict[str, int]]:
    """A code server of each location with the sources of before."""
    ports = assign_ports(sources_of_before / "ports.json", LOCATIONS, prefer_usual=False)
    with ExitStack() as servers:
        started = {
            name: servers.enter_context(_server(running, sources_of_before, name, ports[name]))
            for name in LOCATIONS
        }
        for name, server in started.items():

            def serves(name: str = name, server: subprocess.Popen[bytes] = server) -> bool:
                log = sources_of_before / f"{name}.log"
                assert server.poll() is None, f"{name} of before ended:\n{log.read_text()}"
                return code_server_is_serving(ports[name])

            until(serves, f"{name} of before serves")
        yield ports


@pytest.fixture(scope="module")
def graph_of_now(running: RunningStack) -> dict[str, Shown]:
    return _joined({location: running.stack.ports[location] for location in LOCATIONS})


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_location_of_before_fits_the_others_of_now(
    running: RunningStack,
    ports_of_before: Mapping[str, int],
    graph_of_now: dict[str, Shown],
    location: str,
) -> None:
    now = {name: running.stack.ports[name] for name in LOCATIONS}
    mixed = _joined({**now, location: ports_of_before[location]})
    for key, asset in graph_of_now.items():
        if set(asset.declared_by) != {location}:
            assert key in mixed
    for key, asset in mixed.items():
        if any(team not in asset.owners for team in _teams(asset.declared_by)):
            # Somebody waits for another location's asset: its owner makes it, and nobody else.
            assert _teams(asset.made_by) == asset.owners, key
        unmixed = graph_of_now.get(key)
        if unmixed is not None:
            assert asset.made_by == unmixed.made_by, key
            assert asset.owners == unmixed.owners, key
            assert asset.partitions == unmixed.partitions, key
        if unmixed is not None and location not in asset.made_by:
            assert asset.parents == unmixed.parents, key


@contextmanager
def _server(
    running: RunningStack, sources: Path, location: str, port: int
) -> Iterator[subprocess.Popen[bytes]]:
    packages = (sources / "libs/twd_shared/src", sources / f"locations/{location}/src")
    python = running.home.releases / location / "current/venv/bin/python"
    with (sources / f"{location}.log").open("w") as log:
        server = subprocess.Popen(
            code_server_command(str(python), location, port),
            env={
                **os.environ,
                **running.stack.environment,
                "PYTHONPATH": os.pathsep.join(map(str, packages)),
            },
            stdout=log,
            stderr=log,
        )
        try:
            yield server
        finally:
            server.kill()
            server.wait()


def _joined(ports: Mapping[str, int]) -> dict[str, Shown]:
    """The assets of the code servers at `ports`, loaded as the daemon loads them."""
    servers = [GrpcServerTarget("127.0.0.1", port, None, name) for name, port in ports.items()]
    with (
        dg.DagsterInstance.local_temp() as instance,
        WorkspaceProcessContext(instance, CompositeTarget(servers)) as process,
    ):
        workspace = process.create_request_context()
        for entry in workspace.get_code_location_entries().values():
            assert entry.load_error is None, entry.load_error
        return {
            node.key.to_user_string(): Shown(
                made_by=tuple(
                    info.handle.location_name
                    for info in node.repo_scoped_asset_infos
                    if info.asset_node.is_materializable
                ),
                declared_by=tuple(
                    info.handle.location_name for info in node.repo_scoped_asset_infos
                ),
                owners=tuple(node.owners),
                partitions=getattr(node.partitions_def, "name", None),
                parents=frozenset(parent.to_user_string() for parent in node.parent_keys),
            )
            for node in workspace.asset_graph.asset_nodes
        }


def _teams(locations: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"team:{location}" for location in locations)


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.strip()
