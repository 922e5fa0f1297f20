"""Starting, stopping and deleting the whole stack."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from twd_local.deploy.release import Release, build, current, prune
from twd_local.postgres import remove
from twd_local.stack import processes
from twd_local.stack.databases import create_databases
from twd_local.stack.environment import forget_libpq, set_since
from twd_local.stack.errors import StackError
from twd_local.stack.home import REPOSITORY, Home
from twd_local.stack.interruptions import uninterrupted
from twd_local.stack.names import LOCATIONS
from twd_local.stack.plan import Say, Stack, given_environment, plan, started_stack
from twd_local.stack.readiness import last_lines
from twd_local.stack.supervision import Supervisor, write_configuration


def up(
    home: Home,
    environment: Mapping[str, str],
    defaults: Mapping[str, str] | None = None,
    say: Say = print,
) -> Stack:
    """Start what is not running, in order, and wait until everything answers.

    `defaults` are settings that hold unless the user chose otherwise. Of a stack that runs in part
    the rest is started as it was before: what runs keeps its settings, ports and release. A failure
    stops what was started and is raised as StackError.
    """
    with home.locked():
        given = dict(defaults or {}) | {
            name: value for name, value in given_environment(environment).items() if value
        }
        supervisor = Supervisor(home)
        if supervisor.is_running():
            return _completed(home, given, supervisor, say)
        _end_leftovers(home, say)
        started = time.monotonic()
        stack = plan(home, given, say)
        if any(one.name == "postgres" for one in stack.services):
            forget_libpq(os.environ)
        _link_instance(home)
        prepare_releases(home, say)
        try:
            write_configuration(home, stack.services, dict(stack.environment))
            supervisor.start()
            _start(stack, supervisor, say)
        except BaseException:
            with uninterrupted():
                say("Stopping what was started.")
                _stop(home, supervisor)
            raise
        say(f"The stack is up after {time.monotonic() - started:.1f} s.")
        return stack


def _completed(home: Home, given: Mapping[str, str], supervisor: Supervisor, say: Say) -> Stack:
    """The stack that runs, when what has ended of it was started again."""
    stack = started_stack(home)
    names = [one.name for one in stack.services]
    ended = [name for name in names if not supervisor.pid_if_alive(name)]
    is_whole = not ended and stack.everything_answers()
    say(
        "The stack is already running."
        if is_whole
        else "The stack is running in part: starting the rest."
    )
    if changed := set_since(given, stack.environment):
        say(
            f"It was started with other values of {', '.join(changed)}, which hold until it is "
            "stopped. To use those that are set now: make down, then make up."
        )
    if is_whole:
        return stack
    started = time.monotonic()
    if servers := [name for name in ended if name in LOCATIONS]:
        prepare_releases(home, say, servers)
    try:
        _start(stack, supervisor, say)
    except BaseException:
        with uninterrupted(), suppress(StackError):  # supervisord may have ended as well
            say("Stopping what was started.")
            supervisor.stop(ended[::-1])
        raise
    say(f"The stack is whole again after {time.monotonic() - started:.1f} s.")
    return stack


def down(home: Home, say: Say = print) -> None:
    """End every process of the stack; data is kept. Nothing running is not an error."""
    if not home.root.exists():
        say(f"There is no stack in {home.root}.")
        return
    with home.locked():
        ended = _stop(home, Supervisor(home))
        say("The stack is stopped; its data is kept." if ended else "The stack was not running.")


def clean(home: Home, say: Say = print) -> None:
    """End the stack and delete what it keeps, databases included, and nothing else.

    Raises StackError if the folder holds things and no stack was ever started there: TWD_HOME may
    name another one by mistake.
    """
    if home.root.is_dir() and any(home.root.iterdir()) and not home.was_used:
        raise StackError(
            f"{home.root} holds other things, and no stack was ever started there. Nothing was "
            "deleted. Correct TWD_HOME."
        )
    with home.locked():
        _stop(home, Supervisor(home))
        remove(home.postgres_data)
        for path in (home.supervisor_socket.parent, *home.contents):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    if left := sorted(path.name for path in home.root.iterdir()):
        say(f"Deleted the stack in {home.root}. What is not its own stays: {', '.join(left[:10])}.")
        return
    home.root.rmdir()
    say(f"Deleted {home.root}.")


def prepare_releases(
    home: Home, say: Say = print, locations: Sequence[str] = LOCATIONS
) -> dict[str, Release]:
    """Build the release of each location's present sources and make it the current one.

    Old releases are deleted.
    """
    with ThreadPoolExecutor(len(locations)) as pool:
        built = pool.map(lambda location: build(REPOSITORY, home.releases, location), locations)
        releases = dict(zip(locations, built, strict=True))
    for location, release in releases.items():
        before = current(home.releases, location)
        if before != release.path:
            release.make_current()
        prune(home.releases, location)
        state = f"built in {release.seconds:.1f} s" if release.is_new else "already built"
        say(f"  {location:<12} release {release.path.name}, {state}")
    return releases


def _start(stack: Stack, supervisor: Supervisor, say: Say) -> None:
    home = stack.home
    names = [one.name for one in stack.services]

    def start(*chosen: str) -> list[str]:
        present = [name for name in chosen if name in names]
        for name in present:
            supervisor.start_process(name)
        return present

    def wait(chosen: list[str]) -> None:
        for name in chosen:
            seconds = stack.wait(supervisor, name)
            say(f"  {name:<12} ready   {stack.service(name).address:<24} {seconds:5.1f} s")

    database = start("postgres")
    # Code servers need no database before their first run: they load meanwhile.
    servers = start(*LOCATIONS)
    stand_ins = start("qdrant", "ollama")
    wait(database)
    if database:
        create_databases(home, stack.ports)
    stand_ins += start("application")
    _prepare_storage(stack)
    wait(stand_ins)
    wait(servers)
    wait(start("webserver", "daemon", "metrics"))


def _prepare_storage(stack: Stack) -> None:
    log = stack.home.logs / "prepare.log"
    with log.open("w") as output:
        completed = subprocess.run(
            [sys.executable, "-m", "twd_local.stack.prepare"],
            env={**os.environ, **stack.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if completed.returncode:
        raise StackError(
            "The metadata database could not be brought up to date. "
            f"The end of {log}:\n{last_lines(log)}"
        )


def _link_instance(home: Home) -> None:
    link = home.dagster_home / "dagster.yaml"
    if not link.is_symlink() or link.resolve() != REPOSITORY / "dagster.yaml":
        link.unlink(missing_ok=True)
        link.symlink_to(REPOSITORY / "dagster.yaml")


def _end_leftovers(home: Home, say: Say) -> None:
    if home.root.exists():
        if managers := [one.pid for one in processes.members(home) if processes.is_supervisor(one)]:
            raise StackError(
                f"The stack in {home.root} runs: its supervisord (process {managers[0]}) does not "
                f"answer at {home.supervisor_socket}. To start it anew: make down, then make up."
            )
        ended = processes.end_all(home)
        if ended:
            say(f"Ended {ended} processes that an earlier start had left behind.")
    home.supervisor_socket.unlink(missing_ok=True)


def _stop(home: Home, supervisor: Supervisor) -> int:
    """End everything; returns how many processes there were."""
    before = len(processes.members(home))
    if supervisor.is_running():
        try:
            # First what asks for runs, whose ticks need the code servers to end well, then these
            # and the runs, which note their end in the database, then the rest, the database last.
            supervisor.stop(["daemon", "webserver"])
            supervisor.stop(LOCATIONS)
            known = {process["pid"] for process in supervisor.processes().values()}
            workers = [
                process
                for process in processes.members(home)
                if process.pid not in known | {supervisor.pid()}
                and not processes.is_postgres(process)
            ]
            processes.end(workers, seconds=10)
            supervisor.stop(["application", "qdrant", "ollama", "metrics"])
            supervisor.stop(["postgres"])
            supervisor.shut_down()
        except StackError:
            pass  # it went away in between: what is left is ended below
        deadline = time.monotonic() + 10
        while processes.members(home) and time.monotonic() < deadline:
            time.sleep(0.05)
    processes.end_all(home)
    return before
