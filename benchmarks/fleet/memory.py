"""Memory of a stack's processes: the proportional set size (PSS), which sums to what is taken.

Resident size counts a page once for each process that shares it: PostgreSQL's buffers a hundred
times, the libraries of run workers with each of them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import psutil

from twd_local.stack import processes
from twd_local.stack.home import Home
from twd_local.stack.names import LOCATIONS
from twd_local.stack.supervision import Supervisor

MEBIBYTE = 2**20
_OTHERS = "others"


class Memory(NamedTuple):
    """Bytes at one moment: of each service without the runs it started, and of each run worker."""

    services: dict[str, int]
    workers: tuple[int, ...]

    @property
    def total(self) -> int:
        """Bytes of everything."""
        return sum(self.services.values()) + sum(self.workers)


class MemoryReader:
    """Reads the memory of one stack."""

    def __init__(self, home: Home) -> None:
        """The stack in `home` must be up: its services are known by their pids."""
        self._home = home
        supervisor = Supervisor(home)
        self._names = {one["pid"]: name for name, one in supervisor.processes().items()}
        self._locations = {pid for pid, name in self._names.items() if name in LOCATIONS}

    def read(self) -> Memory:
        """The memory now; a process that ends meanwhile counts nothing."""
        services: defaultdict[str, int] = defaultdict(int)
        workers: list[int] = []
        for process in processes.members(self._home):
            try:
                parent, taken = process.ppid(), process.memory_full_info().pss
                if process.pid in self._names:
                    services[self._names[process.pid]] += taken
                elif processes.is_postgres(process):
                    services["postgres"] += taken
                elif parent in self._locations and not _is_tracker(process):
                    workers.append(taken)
                else:
                    services[_OTHERS] += taken
            except psutil.Error:
                continue
        return Memory(dict(services), tuple(workers))


def _is_tracker(process: psutil.Process) -> bool:
    """Whether it is multiprocessing's own helper, which a server keeps from its first run on."""
    return any("resource_tracker" in word for word in process.cmdline())
