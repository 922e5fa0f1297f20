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
from twd_local.stack.errors import StackError
from twd_local.stack.home import REPOSITORY, Home
from twd_local.stack.plan import Say, Stack, started_stack
from twd_local.stack.supervision import Supervisor

_HEALTH_SECONDS = 60.0


def deploy_locally(home: Home, location: str, say: Say = print) -> None:
    """Bring the sources of `location` as they are now into the running stack.

    Raises: StackError; the release that served before then serves again.
    """
    with home.locked():
        started = time.monotonic()
        supervisor = Supervisor(home)
        running = supervisor.is_running()
        stack = started_stack(home) if running else None
        before = current(home.releases, location)
        release = build(REPOSITORY, home.releases, location)
        state = f"built in {release.seconds:.1f} s" if release.is_new else "already built"
        say(f"Release {release.path.name} of {location}: {state}.")
        _validate(release, location, stack.environment if stack else {})
        say(f"It loads ({time.monotonic() - started:.1f} s so far).")
        release.make_current()
        if stack is None:
            say("The stack is not running: this release serves from the next start on (make up).")
            return
        others = _pids(supervisor, except_for=location)
        _replace_server(stack, supervisor, location, before, say)
        with closing(DagsterApi(stack.ui_url)) as api:
            api.reload_location(location)
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


def _validate(release: Release, location: str, environment: Mapping[str, str]) -> None:
    # Before anything is switched: code that does not load must not replace code that does.
    completed = subprocess.run(
        [
            str(release.python),
            "-m",
            "dagster",
            "definitions",
            "validate",
            "-m",
            f"twd_{location}.definitions",
        ],
        env={**os.environ, **environment},
        cwd=release.path,
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        said = "\n".join(
            f"  {line}" for line in (completed.stdout + completed.stderr).splitlines()[-25:]
        )
        raise StackError(
            f"The new code of {location} does not load, so nothing was changed:\n{said}"
        )


def _replace_server(
    stack: Stack, supervisor: Supervisor, location: str, before: Path | None, say: Say
) -> None:
    supervisor.restart(location)
    try:
        seconds = stack.wait(supervisor, location, _HEALTH_SECONDS)
    except StackError as error:
        if before is None:
            raise
        point_current_to(before)
        supervisor.restart(location)
        stack.wait(supervisor, location, _HEALTH_SECONDS)
        raise StackError(
            f"The new release of {location} did not serve. The one before it, {before.name}, "
            f"serves again. {error}"
        ) from None
    say(f"The code server answers its health check after {seconds:.1f} s.")


def _pids(supervisor: Supervisor, except_for: str) -> dict[str, int]:
    return {
        name: process["pid"]
        for name, process in supervisor.processes().items()
        if name != except_for
    }
