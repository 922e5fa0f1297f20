"""`make up` on a stack that runs in part: the rest is started, what runs is left as it is."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psutil
import pytest

from twd_local.listening import free_port
from twd_local.stack import lifecycle, processes
from twd_local.stack.errors import StackError
from twd_local.stack.home import REPOSITORY, Home
from twd_local.stack.lifecycle import up
from twd_local.stack.plan import started_stack
from twd_local.stack.private_files import write_private_json
from twd_local.stack.services import Service
from twd_local.stack.supervision import Supervisor, write_configuration

pytestmark = pytest.mark.integration

# They answer as a code server and as Ollama do, and are quicker to start.
CODE_SERVER = textwrap.dedent("""
    import sys
    from concurrent.futures import ThreadPoolExecutor
    import grpc
    from grpc_health.v1 import health, health_pb2_grpc
    server = grpc.server(ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    servicer.set("DagsterApi", 1)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
    server.start()
    server.wait_for_termination()
""")
OLLAMA = textwrap.dedent("""
    import http.server, pathlib, sys
    if not pathlib.Path(sys.argv[2]).exists():
        sys.exit(3)
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
""")


class Partly:
    """A stack of a code server that runs, and of Ollama, which does not before it is repaired."""

    def __init__(self, home: Home, environment: dict[str, str], repaired: Path) -> None:
        self.home = home
        self.repaired = repaired
        self.said: list[str] = []
        ports = {"schema": free_port(), "ollama": 0}
        ports["ollama"] = free_port(ports.values())
        write_private_json(home.ports_file, ports)
        schema = (sys.executable, "-c", CODE_SERVER, str(ports["schema"]))
        ollama = (sys.executable, "-c", OLLAMA, str(ports["ollama"]), str(repaired))
        services = [Service("schema", schema), Service("ollama", ollama)]
        write_configuration(home, services, environment)
        self.supervisor = Supervisor(home)
        self.supervisor.start()
        for service in services:
            self.supervisor.start_process(service.name)
        started_stack(home).wait(self.supervisor, "schema")
        deadline = time.monotonic() + 20
        while self.state("ollama") != "BACKOFF":
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def state(self, name: str) -> str:
        return self.supervisor.processes()[name]["statename"]

    def up(self, **environment: str) -> None:
        up(self.home, environment, say=self.said.append)


@pytest.fixture
def partly(metadata_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Partly]:
    # Not what whoever runs the tests has in .env.
    monkeypatch.setattr("twd_local.stack.plan.REPOSITORY", tmp_path)
    monkeypatch.setattr(lifecycle, "build", Mock(side_effect=AssertionError("a server runs")))
    home = Home(tmp_path / "home")
    home.create()
    (home.dagster_home / "dagster.yaml").symlink_to(REPOSITORY / "dagster.yaml")
    environment = {
        "TWD_METADATA_DSN": metadata_dsn,
        "TWD_LATE_DAYS": "7",
        "DAGSTER_HOME": str(home.dagster_home),
        "TWD_MAX_CONCURRENT_RUNS": "4",
        "TWD_COMPUTE_LOG_DIR": str(tmp_path),
        "TWD_ARTIFACT_DIR": str(tmp_path),
    }
    yield Partly(home, environment, tmp_path / "repaired")
    processes.end_all(home)


def test_a_start_of_the_rest_that_fails_ends_nothing_that_was_running(partly: Partly) -> None:
    before = partly.supervisor.pid_if_alive("schema")
    with pytest.raises(StackError, match="ollama ended while starting"):
        partly.up()
    assert partly.supervisor.pid_if_alive("schema") == before
    assert partly.state("ollama") in ("STOPPED", "FATAL")


def test_the_rest_is_started_with_the_settings_and_releases_of_what_runs(partly: Partly) -> None:
    before = partly.supervisor.pid_if_alive("schema")
    files = _contents(partly.home)
    partly.repaired.touch()
    partly.up(TWD_LATE_DAYS="3")
    assert partly.supervisor.pid_if_alive("schema") == before
    started = psutil.Process(partly.supervisor.pid_if_alive("ollama"))
    assert started.environ()["TWD_LATE_DAYS"] == "7"
    assert _contents(partly.home) == files
    assert any("other values of TWD_LATE_DAYS" in line for line in partly.said)


def test_a_service_of_an_earlier_start_is_none_of_the_next(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    write_private_json(home.ports_file, {"ollama": 1, "metrics": 2})
    services = [Service(name, ("true",)) for name in ("ollama", "metrics")]
    write_configuration(home, services, {})
    write_configuration(home, services[1:], {})
    assert [one.name for one in started_stack(home).services] == ["metrics"]


def _contents(home: Home) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text()) for path in home.services.glob("*.json")}
