"""The operating system's view of a stack: its processes, found without supervisord's help.

A killed supervisord leaves its children behind, and a replaced code server leaves its runs: they
are found by the mark in their environment, or as servers that work in the database's folder.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Sequence

import psutil

from twd_local.postgres.locations import possible_data_dirs
from twd_local.stack.environment import STACK_ID
from twd_local.stack.home import Home

TRIAL = "TWD_TRIAL"
"""In the environment of a code server that a deploy tries: it serves nobody."""


def members(home: Home) -> list[psutil.Process]:
    """Every live process of the stack in `home`, supervisord first where it runs."""
    # PostgreSQL writes its titles over the environment, so its processes are known by their
    # working folder.
    data_folders = {str(place) for place in possible_data_dirs(home.postgres_data)}
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in mine and _belongs(process, home.stack_id, data_folders)
    ]


def trials(home: Home) -> list[psutil.Process]:
    """The members that a deploy, which was killed, has left behind."""
    return [process for process in members(home) if _is_trial(process)]


def _is_trial(process: psutil.Process) -> bool:
    try:
        return TRIAL in process.environ()
    except psutil.Error:
        return False


def _belongs(process: psutil.Process, stack_id: str, data_folders: set[str]) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.environ().get(STACK_ID) == stack_id:
            return True
        # A shell in which somebody looks at the data works in that folder too.
        return is_postgres(process) and process.cwd() in data_folders
    except (psutil.Error, OSError):
        return False


def is_postgres(process: psutil.Process) -> bool:
    """Whether it is the database server, which is ended last and by its own signal."""
    try:
        return process.name().startswith("postgres")
    except psutil.Error:
        return False


def end(processes: Sequence[psutil.Process], seconds: float, gently: int = signal.SIGTERM) -> None:
    """Send `gently` to each, and SIGKILL to those still there after `seconds`."""
    _signal(processes, gently)
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    _signal(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)


def end_all(home: Home) -> int:
    """End every process of the stack in `home`, the database last; returns how many there were.

    Runs are told first and given time to note in the database that they were ended.
    """
    first = [process for process in members(home) if not is_postgres(process)]
    # supervisord first and alone: it would start the others again.
    managers = [process for process in first if is_supervisor(process)]
    end(managers, seconds=1, gently=signal.SIGKILL)
    end([process for process in first if process not in managers], seconds=10)
    database = [process for process in members(home) if is_postgres(process)]
    postmasters = [process for process in database if not _has_parent_in(process, database)]
    end(postmasters, seconds=20, gently=signal.SIGINT)
    rest = members(home)
    end(rest, seconds=2, gently=signal.SIGKILL)
    return len(first) + len(database)


def resident_bytes(processes: Iterable[psutil.Process]) -> int:
    """Memory of `processes` and nothing else; those that ended meanwhile count nothing."""
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def is_supervisor(process: psutil.Process) -> bool:
    """Whether it is supervisord, which starts again what ends."""
    try:
        return "supervisor.supervisord" in process.cmdline()
    except psutil.Error:
        return False


def _has_parent_in(process: psutil.Process, processes: Sequence[psutil.Process]) -> bool:
    try:
        return process.ppid() in {other.pid for other in processes}
    except psutil.Error:
        return False


def _signal(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.Error:
            continue
