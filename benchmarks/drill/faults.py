"""What is done to the stack: each fault strikes, may last, and is lifted."""

from __future__ import annotations

import resource
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import psutil

from benchmarks.drill.proxy import Weather
from benchmarks.drill.rig import Rig, until
from twd_local.stack.names import LOCATIONS

_WAIT_FOR_RUN_SECONDS = 60


class Fault(ABC):
    """One thing that goes wrong."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What the table calls it."""

    @property
    def latest_seconds(self) -> float:
        """How long after the work began it strikes at the latest."""
        return 20.0

    def why_not(self, rig: Rig) -> str:
        """'' if this machine can do it, else why not."""
        return ""

    @abstractmethod
    def strike(self, rig: Rig) -> bool:
        """Do it, and return when it is over; False if there was nothing to do it to."""


@dataclass(frozen=True, slots=True)
class Kill(Fault):
    """`kill -9` of a service. The supervisor starts it again, as one does everywhere."""

    service: str

    @property
    def name(self) -> str:
        """Which."""
        return f"kill {self.service}"

    def strike(self, rig: Rig) -> bool:
        """Kill it once."""
        return _kill([rig.process(self.service)]) > 0


@dataclass(frozen=True, slots=True)
class OnRuns(Fault):
    """What strikes a run that is going on, some seconds after its process began."""

    seconds: float

    @property
    def latest_seconds(self) -> float:
        """At once, as it waits for a run by itself."""
        return 0.0

    def strike(self, rig: Rig) -> bool:
        """Wait for a run of any location, and strike it."""
        until(lambda: bool(rig.run_workers()), _WAIT_FOR_RUN_SECONDS, pause=0.05)
        time.sleep(self.seconds)
        for location in LOCATIONS:
            if workers := rig.run_workers(location):
                return self.strike_run(rig, location, workers)
        return False

    @abstractmethod
    def strike_run(self, rig: Rig, location: str, workers: Sequence[psutil.Process]) -> bool:
        """Strike runs of a location; False if there was nothing any more."""


@dataclass(frozen=True, slots=True)
class KillRunWorker(OnRuns):
    """`kill -9` of the process of a run that is going on."""

    @property
    def name(self) -> str:
        """One kind."""
        return "kill run worker"

    def strike_run(self, rig: Rig, location: str, workers: Sequence[psutil.Process]) -> bool:
        """Kill the first that there is."""
        return _kill(workers[:1]) > 0


@dataclass(frozen=True, slots=True)
class KillContainer(OnRuns):
    """`kill -9` of a code server together with the runs that it started: nobody is left to tell."""

    @property
    def name(self) -> str:
        """One kind."""
        return "kill a code server and its runs"

    def strike_run(self, rig: Rig, location: str, workers: Sequence[psutil.Process]) -> bool:
        """The server first, so that it does not notice the others."""
        _kill([rig.process(location)])
        return _kill(workers) > 0


@dataclass(frozen=True, slots=True)
class Network(Fault):
    """The connections to one server are slow, are reset, or nothing comes through them."""

    link: str
    weather: Weather
    seconds: float

    @property
    def name(self) -> str:
        """Which."""
        return f"network to {self.link} {self.weather}"

    def strike(self, rig: Rig) -> bool:
        """Bad weather for a while."""
        rig.links[self.link].turn(self.weather)
        time.sleep(self.seconds)
        rig.links[self.link].turn("fair")
        return True


@dataclass(frozen=True, slots=True)
class Hang(Fault):
    """A service stands still without closing anything, as in a machine that swaps."""

    service: str
    seconds: float

    @property
    def name(self) -> str:
        """Which."""
        return f"hang {self.service}"

    def strike(self, rig: Rig) -> bool:
        """Stop it for a while."""
        process = rig.process(self.service)
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.seconds)
        process.send_signal(signal.SIGCONT)
        return True


@dataclass(frozen=True, slots=True)
class DiskFull(Fault):
    """The index can write to no file: what it writes fails, what is there stays."""

    seconds: float

    @property
    def name(self) -> str:
        """One kind."""
        return "disk full on the index"

    def strike(self, rig: Rig) -> bool:
        """Take the room away for a while."""
        pid = rig.process("qdrant").pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
        time.sleep(self.seconds)
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        return True


@dataclass(frozen=True, slots=True)
class ClockJump(Fault):
    """The clock of all processes is set, and stays so."""

    seconds: float

    @property
    def name(self) -> str:
        """Which way."""
        return f"clock {self.seconds:+.0f} s"

    def why_not(self, rig: Rig) -> str:
        """It needs a library."""
        return "" if rig.clock.can_move else "the package libfaketime is not installed in .venv"

    def strike(self, rig: Rig) -> bool:
        """Set it."""
        rig.clock.move(self.seconds)
        return True


def _kill(processes: Sequence[psutil.Process]) -> int:
    """`kill -9` each; how many were there."""
    killed = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
            killed += 1
    return killed


def kinds(random: Random) -> Sequence[Fault]:
    """One of each kind, with what of it is left to chance."""
    links = ("metadata", "index", "model", "source")
    services = ("postgres", "qdrant", "ollama", "daemon", "webserver")
    weathers: Sequence[Weather] = ("slow", "reset", "silent")
    return (
        *(Kill(name) for name in (*LOCATIONS, *services)),
        KillRunWorker(random.uniform(0, 3)),
        KillContainer(random.uniform(0, 3)),
        *(Network(random.choice(links), one, random.uniform(5, 15)) for one in weathers),
        Hang(random.choice((*LOCATIONS, "qdrant", "ollama", "daemon")), random.uniform(5, 15)),
        DiskFull(random.uniform(5, 15)),
        ClockJump(3600),
        ClockJump(-20),
    )
