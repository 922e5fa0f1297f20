"""Watching a stack at work: its progress every second, its memory every few."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import psutil

from benchmarks.fleet.memory import Memory, MemoryReader
from benchmarks.fleet.storage import Progress, Storage

_EVERY_SECONDS = 1.0
_MEMORY_EVERY = 3
_TELL_EVERY = 30


class Sample(NamedTuple):
    """The stack at one moment (Unix seconds); memory is not read each time."""

    at: float
    progress: Progress
    memory: Memory | None
    cpu_share: float
    """Share of all cores that was busy since the sample before."""


class Watch:
    """Samples of a stack, taken while somebody waits for something."""

    def __init__(self, storage: Storage, memory: MemoryReader, say: Callable[[str], None]) -> None:
        """`say` is told how far the stack is, now and then."""
        self._storage = storage
        self._memory = memory
        self._say = say
        self.samples: list[Sample] = []
        psutil.cpu_percent()

    def until(self, fact: Callable[[Progress], bool], deadline_seconds: float) -> bool:
        """Take samples until the fact holds; False if it did not before the deadline."""
        deadline = time.monotonic() + deadline_seconds
        while time.monotonic() < deadline:
            began = time.monotonic()
            if fact(self._sample().progress):
                return True
            time.sleep(max(0.0, _EVERY_SECONDS - (time.monotonic() - began)))
        return False

    def during(self, seconds: float) -> None:
        """Take samples for so long."""
        self.until(lambda _: False, seconds)

    def _sample(self) -> Sample:
        place = len(self.samples)
        sample = Sample(
            time.time(),
            self._storage.progress(),
            None if place % _MEMORY_EVERY else self._memory.read(),
            psutil.cpu_percent() / 100,
        )
        self.samples.append(sample)
        if place % _TELL_EVERY == 0:
            now = sample.progress
            self._say(
                f"  {now.imported} imported, {now.trained} trained; "
                f"{now.in_progress} runs, {now.queued} queued"
            )
        return sample
