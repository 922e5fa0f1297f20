"""What a started stack looks like from outside: read from its files, for other commands."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import psutil

from twd_local.stack import processes
from twd_local.stack.errors import StackError
from twd_local.stack.home import Home
from twd_local.stack.plan import Stack, started_stack
from twd_local.stack.supervision import Supervisor


def running_stack(home: Home) -> tuple[Stack, Supervisor]:
    """The stack and its supervisord; raises StackError if it is not running."""
    supervisor = Supervisor(home)
    if not supervisor.is_running():
        raise StackError("The stack is not running. Start it with: make up")
    return started_stack(home), supervisor


def served_environment(home: Home) -> dict[str, str]:
    """The environment of the stack; raises StackError if its own database is stopped."""
    stack = started_stack(home)
    if any(one.name == "postgres" for one in stack.services):
        running_stack(home)
    return dict(stack.environment)


def status_lines(home: Home) -> list[str]:
    """A line a process: name, state, pid, address, memory, age; and the sum.

    Raises StackError for a stack of another user, of which nobody else sees whether it runs.
    """
    if home.services.exists() and not os.access(home.services, os.X_OK):
        raise StackError(f"The stack in {home.root} is another user's. Ask as who started it.")
    supervisor = Supervisor(home)
    members = processes.members(home)
    if not supervisor.is_running():
        left = f" {len(members)} processes are left: make down ends them." if members else ""
        return [f"The stack is not running.{left} Start it with: make up"]
    stack = started_stack(home)
    states = supervisor.processes()
    lines = [f"{'process':<12} {'state':<9} {'pid':>7} {'memory':>8} {'age':>7}  address"]
    by_pid: Mapping[int, psutil.Process] = {process.pid: process for process in members}
    counted: set[int] = set()
    for one in stack.services:
        state = states[one.name]
        family = _family(by_pid, state["pid"]) if state["pid"] else []
        counted |= {process.pid for process in family}
        lines.append(
            f"{one.name:<12} {state['statename'].lower():<9} {state['pid'] or '-':>7} "
            f"{_mebibytes(family):>8} {_age(state):>7}  {one.address}"
        )
    rest = [process for process in members if process.pid not in counted]
    lines.append(f"{'others':<12} {f'{len(rest)} more':<9} {'':>7} {_mebibytes(rest):>8}")
    lines.append(f"{'all':<12} {'':<9} {'':>7} {_mebibytes(members):>8}")
    return lines


def _family(by_pid: Mapping[int, psutil.Process], pid: int) -> list[psutil.Process]:
    """The process and what it started, as far as it belongs to the stack."""
    if pid not in by_pid:
        return []
    try:
        children = by_pid[pid].children(recursive=True)
    except psutil.Error:
        children = []
    return [by_pid[pid], *(by_pid[child.pid] for child in children if child.pid in by_pid)]


def _mebibytes(members: list[psutil.Process]) -> str:
    return f"{processes.resident_bytes(members) / 2**20:.0f} MiB"


def _age(state: Mapping[str, int]) -> str:
    if not state["pid"]:
        return "-"
    seconds = max(0, int(time.time()) - state["start"])
    return f"{seconds // 60}:{seconds % 60:02d}"
