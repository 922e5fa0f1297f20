"""A container for each run: the instance of compose.docker-runs.yaml, and what it asks of Docker.

Dagster's launcher talks to a server that answers as Docker's engine does, and keeps what it is
asked for.
"""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher.base import LaunchRunContext, WorkerStatus
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster_docker import DockerRunLauncher

from twd_local.stack.names import LOCATIONS
from twd_shared import settings
from twd_shared.run_logs import FORMAT_VARIABLE

from ..json_server import JsonServer

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/compose"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
OVERRIDE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.docker-runs.yaml").read_text())
SECRETS = {variable.name for variable in settings.VARIABLES if variable.secret}
PLAIN = {variable.name for variable in settings.VARIABLES} - SECRETS
CHOSEN = {"TWD_SECRETS_PATH": "/srv/twd/secrets", "TWD_SCHEMA_TAG": "4f2a91c"}


def interpolated(text: str) -> str:
    """What Compose makes of `text` with the variables that are CHOSEN."""
    while match := re.search(r"\$\{(\w+)(?::[-?]((?:[^${}]|\$\{[^{}]*\})*))?\}", text):
        value = CHOSEN.get(match[1], match[2] or "")
        text = text[: match.start()] + value + text[match.end() :]
    return text


def environment_of(service: str) -> dict[str, str]:
    """The environment that both files give `service`."""
    both = (
        COMPOSE["services"][service]["environment"] | OVERRIDE["services"][service]["environment"]
    )
    return {name: interpolated(value) for name, value in both.items()}


class DockerEngine(JsonServer):
    """Creates and starts one container after the other, as far as it tells."""

    def __init__(self) -> None:
        super().__init__()
        self.created: list[dict[str, Any]] = []
        self.started = 0

    def on_get(self, path: str) -> tuple[int, Any]:
        if path.endswith("/version"):
            return 200, {"ApiVersion": "1.47"}
        return 200, {"Id": "4f2a91c", "State": {"Status": "running"}}

    def on_post(self, path: str, asked: dict[str, Any]) -> tuple[int, Any]:
        if path.endswith("/start"):
            self.started += 1
            return 200, {}
        self.created.append(asked)
        return 201, {"Id": "4f2a91c", "Warnings": []}


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    server = DockerEngine()
    yield server
    server.close()


@pytest.fixture(scope="module")
def instance_file() -> dict[str, Any]:
    """The instance as the image of the webserver and the daemon gets it."""
    merged = runpy.run_path(str(FOLDER / "instance.py"))["merged"]
    files = (ROOT / "dagster.yaml", FOLDER / "python-logs.yaml", FOLDER / "docker-runs.yaml")
    return yaml.safe_load(merged([str(file) for file in files]))


@pytest.fixture(scope="module")
def launcher(
    instance_file: dict[str, Any], engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DockerRunLauncher]:
    """The launcher that the instance names, with the variables of the daemon."""
    home = tmp_path_factory.mktemp("home")
    (home / "dagster.yaml").write_text(yaml.safe_dump(instance_file))
    with pytest.MonkeyPatch.context() as daemon, dg.DagsterInstance.local_temp() as instance:
        for name, value in environment_of("daemon").items():
            daemon.setenv(name, value)
        daemon.setenv("DOCKER_HOST", engine.url.replace("http", "tcp"))
        data = InstanceRef.from_dir(str(home)).run_launcher_data
        assert data is not None
        launcher = data.rehydrate(as_type=DockerRunLauncher)
        launcher.register_instance(instance)
        yield launcher


@pytest.fixture(params=LOCATIONS, scope="module")
def container(
    request: pytest.FixtureRequest, launcher: DockerRunLauncher, engine: DockerEngine
) -> dict[str, Any]:
    """The container that is asked for to run a job of each location in turn."""
    server = environment_of(request.param)
    # What a code server tells of itself, from these two variables.
    repository = RepositoryPythonOrigin(
        executable_path="python",
        code_pointer=ModuleCodePointer("some.module", "defs"),
        container_image=server["DAGSTER_CURRENT_IMAGE"],
        container_context=json.loads(server["DAGSTER_CLI_API_GRPC_CONTAINER_CONTEXT"]),
    )
    origin = JobPythonOrigin(job_name="some_job", repository_origin=repository)
    run = dg.DagsterRun(job_name="some_job", job_code_origin=origin)
    launcher._instance.add_run(run)
    launcher.launch_run(LaunchRunContext(run, workspace=None))
    started = launcher._instance.get_run_by_id(run.run_id)
    assert started is not None
    assert launcher.check_run_worker_health(started).status == WorkerStatus.RUNNING
    assert engine.started == len(engine.created)
    return engine.created[-1] | {"location": request.param}


def test_the_instance_is_dagster_yaml_but_for_its_launcher(instance_file: dict[str, Any]) -> None:
    machine = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    assert instance_file.keys() - machine.keys() == {"python_logs"}
    for name in machine.keys() - {"run_launcher"}:
        assert instance_file[name] == machine[name]


def test_the_daemon_hands_every_setting_on(instance_file: dict[str, Any]) -> None:
    handed_on = set(instance_file["run_launcher"]["config"]["env_vars"])
    assert handed_on == PLAIN | {FORMAT_VARIABLE}
    assert handed_on <= environment_of("daemon").keys()


def test_a_run_has_the_image_and_settings_of_its_code_server(container: dict[str, Any]) -> None:
    location = container["location"]
    image = COMPOSE["services"][location]["image"]
    assert container["Image"] == interpolated(image)
    variables = dict(item.split("=", 1) for item in container["Env"])
    server = environment_of(location)
    assert {name: variables[name] for name in PLAIN} == {name: server[name] for name in PLAIN}


def test_a_run_has_its_secrets_as_files(container: dict[str, Any]) -> None:
    variables = {item.split("=", 1)[0] for item in container["Env"]}
    assert variables.isdisjoint(SECRETS)
    binds = set(container["HostConfig"]["Binds"])
    assert binds == {
        *(f"/srv/twd/secrets/{name}:/run/secrets/{name}:ro" for name in SECRETS),
        "twd_compute_logs:/var/lib/twd/compute_logs",
        "twd_artifacts:/var/lib/twd/artifacts",
    }
    # With them the image's entry point starts the program.
    assert container.get("Entrypoint") is None
    assert "execute_run" in container["Cmd"]


def test_a_run_is_bounded_and_without_rights(container: dict[str, Any]) -> None:
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["Tmpfs"] == {"/tmp": ""}  # noqa: S108
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] == 2 * 2**30
    assert host["PidsLimit"] == 512
    assert host["AutoRemove"] is True


def test_a_run_reaches_what_the_code_server_reaches(container: dict[str, Any]) -> None:
    assert container["HostConfig"]["NetworkMode"] == f"{COMPOSE['name']}_default"
    server = COMPOSE["services"][container["location"]]
    assert container["HostConfig"]["ExtraHosts"] == server["extra_hosts"]


def test_only_the_daemon_and_the_webserver_reach_docker() -> None:
    with_socket = {
        name
        for name, service in OVERRIDE["services"].items()
        if "/var/run/docker.sock" in str(service.get("volumes"))
    }
    assert with_socket == {"daemon", "webserver"}
    assert OVERRIDE["services"].keys() == with_socket | set(LOCATIONS)
    assert "docker.sock" not in (FOLDER / "compose.yaml").read_text()
