"""Waiting for facts: each service is asked what it is for, until it answers or has failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import grpc
import httpx
import psycopg2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from twd_local.dagster_api import DagsterApi
from twd_local.stack.errors import StackError
from twd_local.stack.home import Home
from twd_local.stack.names import LOCATIONS
from twd_local.stack.services import Service
from twd_local.stack.supervision import Supervisor

DEADLINE_SECONDS = 120.0
_LAST_LINES = 20
# Python tells first what happened, then at length what passed it on: Dagster, which loads code.
_PASSED_ON = "The above exception was the direct cause of the following exception:"
_LONGEST_PASSING_ON = 60

_PATHS = {
    "qdrant": "/readyz",
    "ollama": "/api/version",
    "application": "/healthz",
    "webserver": "/server_info",
    "metrics": "/healthz",
}


def code_server_is_serving(port: int) -> bool:
    """Whether the gRPC health service on `port` says SERVING, as `grpc-health-check` asks it."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            # The stub's methods are made at run time, where a type checker does not see them.
            check = health_pb2_grpc.HealthStub(channel).Check  # pyright: ignore[reportAttributeAccessIssue]
            answer = check(health_pb2.HealthCheckRequest(service="DagsterApi"), timeout=2)
        except grpc.RpcError:
            return False
        return answer.status == health_pb2.HealthCheckResponse.SERVING


def is_ready(service: Service, ports: Mapping[str, int], admin_dsn: str | None) -> bool:
    """Whether `service` answers now."""
    if service.name in LOCATIONS:
        return code_server_is_serving(ports[service.name])
    if service.name == "postgres":
        return admin_dsn is not None and _accepts_queries(admin_dsn)
    if service.name == "daemon":
        with closing(DagsterApi(f"http://127.0.0.1:{ports['webserver']}")) as api:
            return api.daemons_are_healthy()
    try:
        url = f"http://127.0.0.1:{ports[service.name]}{_PATHS[service.name]}"
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False


def _accepts_queries(admin_dsn: str) -> bool:
    try:
        psycopg2.connect(admin_dsn, connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True


def wait_until_ready(
    home: Home,
    supervisor: Supervisor,
    service: Service,
    check: Callable[[], bool],
    deadline_seconds: float = DEADLINE_SECONDS,
) -> float:
    """Wait for `check`; returns the seconds it took.

    Raises: StackError with the end of the service's log, when it has ended or the deadline
    has passed.
    """
    started = time.monotonic()
    pid = supervisor.pid_if_alive(service.name)
    while not check():
        waited = time.monotonic() - started
        # Another pid means that it has ended and was started again meanwhile.
        if not pid or supervisor.pid_if_alive(service.name) != pid:
            raise _failure(home, service, "ended while starting")
        if waited > deadline_seconds:
            raise _failure(home, service, f"is not ready after {deadline_seconds:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - started


def last_lines(path: Path, count: int = _LAST_LINES) -> str:
    """The end of a log file, indented; of an error that passes another one on, the ends of both."""
    if not path.exists():
        return "  (no log)"
    lines = path.read_text(errors="replace").splitlines()
    if _PASSED_ON in lines[-_LONGEST_PASSING_ON:]:
        cause = lines[: len(lines) - lines[::-1].index(_PASSED_ON)]
        lines = [*cause[-count // 2 :], "…", *lines[-count // 2 + 1 :]]
    return "\n".join(f"  {line}" for line in lines[-count:])


def _failure(home: Home, service: Service, what: str) -> StackError:
    log = home.logs / f"{service.name}.log"
    return StackError(
        f"{service.name} {what}. The end of {log}:\n{last_lines(log)}\n"
        f"Put right what it says and start again; everything that was loaded is kept."
    )
