"""The services of the stack: command, extra environment, address and how they are ended."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from twd_local.application.tables import ADMIN_DSN_VARIABLE
from twd_local.stack.environment import application_admin_dsn
from twd_local.stack.home import REPOSITORY, Home
from twd_local.stack.names import LOCATIONS


@dataclass(frozen=True, slots=True)
class Service:
    """One process that supervisord keeps running.

    `release` is the link under which a code location's interpreter is found, None for others.
    """

    name: str
    command: tuple[str, ...]
    port: int | None = None
    release: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    stop_signal: str = "TERM"
    stop_seconds: int = 10

    @property
    def address(self) -> str:
        """What a person would type to reach it."""
        if self.port is None:
            return ""
        scheme = "" if self.name == "postgres" or self.name in LOCATIONS else "http://"
        return f"{scheme}127.0.0.1:{self.port}"


def service(name: str, home: Home, ports: Mapping[str, int]) -> Service:
    """The service called `name`, as it runs in `home` with `ports`."""
    if name in LOCATIONS:
        return _code_server(name, home, ports[name])
    return {
        "postgres": _postgres,
        "qdrant": _qdrant,
        "ollama": _ollama,
        "application": _application,
        "webserver": _webserver,
        "daemon": _daemon,
        "metrics": _metrics,
    }[name](home, ports)


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


def _postgres(home: Home, ports: Mapping[str, int]) -> Service:
    port = ports["postgres"]
    return Service(
        "postgres",
        _module(
            "twd_local.postgres",
            "--data-dir",
            str(home.postgres_data),
            "--port",
            str(port),
            "--password-file",
            str(home.secrets / "postgres"),
        ),
        port,
        stop_signal="INT",  # PostgreSQL's fast shutdown: it does not wait for clients to leave
        stop_seconds=30,
    )


def _qdrant(home: Home, ports: Mapping[str, int]) -> Service:
    port = ports["qdrant"]
    return Service(
        "qdrant",
        _module("twd_local.qdrant_front", "--storage", str(home.qdrant_data), "--port", str(port)),
        port,
    )


def _ollama(home: Home, ports: Mapping[str, int]) -> Service:
    port = ports["ollama"]
    return Service("ollama", _module("twd_local.ollama_server", "--port", str(port)), port)


def _application(home: Home, ports: Mapping[str, int]) -> Service:
    port = ports["application"]
    return Service(
        "application",
        _module("twd_local.application", "--port", str(port)),
        port,
        environment={ADMIN_DSN_VARIABLE: application_admin_dsn(home, ports)},
    )


def code_server_command(python: str, location: str, port: int) -> tuple[str, ...]:
    """The command by which the interpreter `python` of a release serves `location`."""
    return (
        *(python, "-m", "dagster", "api", "grpc"),
        *("--module-name", f"twd_{location}.definitions", "--location-name", location),
        *("--host", "127.0.0.1", "--port", str(port)),
    )


def _code_server(location: str, home: Home, port: int) -> Service:
    release = str(home.releases / location / "current")
    return Service(
        location,
        code_server_command(f"{release}/venv/bin/python", location, port),
        port,
        release=release,
        # Asked to end, a code server serves on until its runs have ended, and refuses new ones,
        # which counts as their failure. Killed, it refuses nothing: a run that finds no server
        # goes back into the queue. Runs that are going on do not need it, and finish by themselves.
        stop_signal="KILL",
    )


def _webserver(home: Home, ports: Mapping[str, int]) -> Service:
    port = ports["webserver"]
    return Service(
        "webserver",
        _module(
            "dagster_webserver",
            "--workspace",
            str(REPOSITORY / "workspace.yaml"),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ),
        port,
    )


def _daemon(home: Home, ports: Mapping[str, int]) -> Service:
    return Service(
        "daemon",
        _module("dagster._daemon", "run", "--workspace", str(REPOSITORY / "workspace.yaml")),
        stop_seconds=20,
    )


def _metrics(home: Home, ports: Mapping[str, int]) -> Service:
    port = ports["metrics"]
    return Service("metrics", _module("twd_shared.metrics", "--port", str(port)), port)
