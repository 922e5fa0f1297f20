"""A deploy on this machine: build beside what runs, try it, switch, check, or switch back."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from twd_local.dagster_api import DagsterApi
from twd_local.deploy.release import Release, build, current, point_current_to, prune
from twd_local.listening import free_port
from twd_local.stack import processes
from twd_local.stack.environment import STACK_ID
from twd_local.stack.errors import StackError
from twd_local.stack.home import REPOSITORY, Home
from twd_local.stack.plan import Say, Stack, started_stack
from twd_local.stack.readiness import DEADLINE_SECONDS, code_server_is_serving, last_lines
from twd_local.stack.services import code_server_command
from twd_local.stack.supervision import Supervisor

# Starting a run takes a few seconds: a process is made and imports its code.
_LAUNCH_SECONDS = 20.0


def deploy_locally(home: Home, location: str, sources: Path = REPOSITORY, say: Say = print) -> None:
    """Bring `location` as it is now in the checkout `sources` into the running stack.

    Raises: StackError; the release that served before then serves still, or again.
    """
    with home.locked():
        started = time.monotonic()
        processes.end(processes.trials(home), seconds=1)
        supervisor = Supervisor(home)
        running = supervisor.is_running()
        if not running and sources.resolve() != REPOSITORY:
            raise StackError(
                "The stack is not running, and a start serves the sources of this checkout. "
                f"To have it serve those of {sources}: make up first, then deploy them."
            )
        stack = started_stack(home) if running else None
        before = current(home.releases, location)
        release = build(sources, home.releases, location)
        state = f"built in {release.seconds:.1f} s" if release.is_new else "already built"
        say(f"Release {release.path.name} of {location}: {state}.")
        _try_out(home, release, stack.environment if stack else {})
        say(f"It serves when it is tried ({time.monotonic() - started:.1f} s so far).")
        if stack is None:
            release.make_current()
            prune(home.releases, location)
            say("The stack is not running: this release serves from the next start on (make up).")
            return
        others = _pids(supervisor, except_for=location)
        with closing(DagsterApi(stack.ui_url)) as api:
            _await_launches(api, location)
            release.make_current()
            _replace_server(stack, supervisor, api, release, before, say)
        prune(home.releases, location)
        unchanged = _pids(supervisor, except_for=location) == others
        say(
            f"{location} serves the new release and the UI shows it, "
            f"{time.monotonic() - started:.1f} s in all. "
            + (
                "No other process was touched."
                if unchanged
                else "Another process was restarted meanwhile: see make status."
            )
        )


def _try_out(home: Home, release: Release, environment: Mapping[str, str]) -> None:
    # Beside the server that serves, on a port of its own: code that does not load, or ends its
    # server, must not replace code that works.
    log = release.path / "trial.log"
    port = free_port()
    with log.open("w") as output:
        server = subprocess.Popen(
            code_server_command(str(release.python), release.location, port),
            # Marked, as nobody else ends it where this process is killed.
            env={**os.environ, **environment, STACK_ID: home.stack_id, processes.TRIAL: "1"},
            cwd=release.path,
            stdout=output,
            stderr=output,
        )
        try:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while not code_server_is_serving(port):
                if server.poll() is not None or time.monotonic() > deadline:
                    release.discard()
                    raise StackError(
                        f"The new code of {release.location} does not serve when it is tried, so "
                        f"nothing was changed. The end of {log}:\n{last_lines(log)}"
                    )
                time.sleep(0.1)
        finally:
            server.kill()
            server.wait()


def _await_launches(api: DagsterApi, location: str) -> None:
    # If the server goes away in the middle of starting a run, the daemon puts the run back into the
    # queue, while its process may have begun already. Between two starts there is no such process.
    deadline = time.monotonic() + _LAUNCH_SECONDS
    while api.runs_being_started(location) and time.monotonic() < deadline:
        time.sleep(0.1)


def _replace_server(
    stack: Stack,
    supervisor: Supervisor,
    api: DagsterApi,
    release: Release,
    before: Path | None,
    say: Say,
) -> None:
    location = release.location
    fault = _restart(stack, supervisor, api, location, say)
    if fault is None:
        return
    if before is None or before == release.path:
        raise StackError(f"The release {release.path.name} of {location} does not serve. {fault}")
    point_current_to(before)
    fault_before = _restart(stack, supervisor, api, location, say)
    state = "serves again" if fault_before is None else f"does not serve either. {fault_before}"
    raise StackError(
        f"The new release of {location} did not serve. The one before it, {before.name}, {state}. "
        f"What the new one said: {fault}"
    )


def _restart(
    stack: Stack, supervisor: Supervisor, api: DagsterApi, location: str, say: Say
) -> str | None:
    """Start the current release; gives what is wrong if it does not serve."""
    try:
        supervisor.restart(location)
        seconds = stack.wait(supervisor, location)
        say(f"The code server answers its health check after {seconds:.1f} s.")
        return api.reload_location(location)
    except StackError as error:
        return str(error)


def _pids(supervisor: Supervisor, except_for: str) -> dict[str, int]:
    return {
        name: process["pid"]
        for name, process in supervisor.processes().items()
        if name != except_for
    }
