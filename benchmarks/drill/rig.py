"""A whole stack whose connections to its servers go through proxies and whose clock can be set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks.drill.proxy import Link
from benchmarks.own_stack import own_stack
from twd_local.dagster_api import DagsterApi
from twd_local.sources import ensure_reader_role, load_source, with_database, with_login
from twd_local.stack import processes
from twd_local.stack.connect import register
from twd_local.stack.environment import admin_dsn, application_admin_dsn
from twd_local.stack.home import Home
from twd_local.stack.plan import Stack
from twd_local.stack.supervision import Supervisor, write_configuration
from twd_shared import settings

_READER = "drill_reader"
_READER_PASSWORD = "drill"  # noqa: S105 - of databases that are gone after the drill
_QUICK = {
    settings.NEW_CONNECTION_SECONDS.name: "10",
    settings.SCHEMA_CHANGE_SECONDS.name: "10",
    settings.AUTOMATION_SECONDS.name: "10",
    settings.RUN_RETRY_SECONDS.name: "2",
    settings.SOURCE_TIMEOUT_SECONDS.name: "20",
}
# Of the package libfaketime. Debian's own of 0.9.10 makes Python's `time.sleep` fail.
_CLOCK_PACKAGE = "libfaketime"
_CLOCK_LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"


class Rig:
    """The stack and what a drill may do to it."""

    def __init__(self, home: Home, stack: Stack, links: dict[str, Link], clock: Clock) -> None:
        """`links` by what they lead to: `metadata`, `index`, `model`, `source`."""
        self.home = home
        self.stack = stack
        self.links = links
        self.clock = clock
        self.supervisor = Supervisor(home)
        self.api = DagsterApi(stack.ui_url)
        self.admin = admin_dsn(home, stack.ports)
        self.application = application_admin_dsn(home, stack.ports)
        # Not through the proxy: whoever checks the store must not suffer from the fault.
        self.metadata = stack.environment[settings.METADATA_DSN.name]
        self.qdrant_url = stack.environment[settings.QDRANT_URL.name]

    def connect(self, sample: str, name: str) -> str:
        """Load `sample` as database `name` and register it behind the proxy; gives its id."""
        load_source(self.admin, sample, _READER, database=name)
        reached = urlsplit(with_login(with_database(self.admin, name), _READER, _READER_PASSWORD))
        host = f"{reached.username}:{reached.password}@127.0.0.1:{self.links['source'].port}"
        dsn = f"postgresql://{host}/{name}?sslmode=disable"
        return str(register(self.stack.environment[settings.API_URL.name], name, dsn)[0])

    def database(self, name: str) -> str:
        """The address of a source for its owner, past the proxy."""
        return with_database(self.admin, name)

    def process(self, service: str) -> psutil.Process:
        """The process of a service."""
        return psutil.Process(self.supervisor.processes()[service]["pid"])

    def run_workers(self, location: str | None = None) -> list[psutil.Process]:
        """The processes of runs, of one location or of all, also of servers that are gone."""
        found = [
            process
            for process in processes.members(self.home)
            if _is_run_worker(process) and (location is None or _package(location, process))
        ]
        return sorted(found, key=lambda process: process.pid)


class Clock:
    """The clock that the stack's processes see, if the package libfaketime is installed."""

    def __init__(self, folder: Path) -> None:
        """Nothing is moved until `move`."""
        package = find_spec(_CLOCK_PACKAGE)
        origin = package.origin if package else None
        self._library = str(Path(origin).parent / _CLOCK_LIBRARY) if origin else ""
        self._file = folder / "clock"
        self._seconds = 0.0
        self._write()

    @property
    def can_move(self) -> bool:
        """Whether there is a library to move it by."""
        return bool(self._library)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to see this clock; time that is only waited for goes on as it is."""
        if not self._library:
            return {}
        return {
            "LD_PRELOAD": self._library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",
        }

    def move(self, seconds: float) -> None:
        """Set it forward or back, for good."""
        self._seconds += seconds
        self._write()

    def _write(self) -> None:
        self._file.write_text(f"{self._seconds:+.0f}\n")
        self._file.chmod(0o644)


@contextmanager
def rig() -> Iterator[Rig]:
    """The stack, up; everything of it is gone afterwards."""
    with ExitStack() as exits:
        stack = exits.enter_context(own_stack(_QUICK))
        links = {
            name: exits.enter_context(closing(Link(name, stack.ports[service])))
            for name, service in (
                ("metadata", "postgres"),
                ("index", "qdrant"),
                ("model", "ollama"),
                ("source", "postgres"),
            )
        }
        made = Rig(stack.home, stack, links, Clock(stack.home.root.parent))
        exits.callback(made.api.close)
        ensure_reader_role(made.admin, _READER, _READER_PASSWORD)
        _go_through_proxies(made)
        yield made


def _go_through_proxies(made: Rig) -> None:
    """Start anew what talks to the servers, so that it finds the proxies in their place."""
    environment = dict(made.stack.environment)
    for name, link in (
        (settings.METADATA_DSN.name, made.links["metadata"]),
        (settings.QDRANT_URL.name, made.links["index"]),
        (settings.OLLAMA_BASE_URL.name, made.links["model"]),
    ):
        port = urlsplit(environment[name]).port
        environment[name] = environment[name].replace(f":{port}", f":{link.port}", 1)
    # PostgreSQL keeps the machine's own: it runs as another user, with whom the library's processes
    # cannot share a clock. Servers whose clocks differ are a case of their own anyway.
    services = [
        service
        if service.name == "postgres"
        else replace(service, environment={**service.environment, **made.clock.environment})
        for service in made.stack.services
    ]
    write_configuration(made.home, services, environment)
    # The daemon first, so that it does not see the others go; the database before what needs it.
    made.supervisor.stop([service.name for service in reversed(made.stack.services)])
    for service in made.stack.services:
        made.supervisor.start_process(service.name)
    for service in made.stack.services:
        made.stack.wait(made.supervisor, service.name)


def _is_run_worker(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return "--multiprocessing-fork" in words and any("spawn_main" in word for word in words)


def _package(location: str, process: psutil.Process) -> bool:
    try:
        return f"/releases/{location}/" in process.cmdline()[0]
    except (psutil.Error, IndexError):
        return False


def until(fact: Callable[[], bool], seconds: float, pause: float = 0.5) -> float | None:
    """Seconds until `fact` was true, or None if it was not in time."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        if fact():
            return time.monotonic() - started
        time.sleep(pause)
    return None
