"""All that was read of one stack after its databases were connected."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from benchmarks.fleet.arithmetic import SensorTicks, first_written, sensor_ticks
from benchmarks.fleet.memory import Memory
from benchmarks.fleet.storage import IMPORTED, TRAINED, Run, Sizes, Storage, Written
from benchmarks.fleet.watching import Sample
from twd_local.stack.plan import Stack
from twd_shared import settings
from twd_shared.clients.qdrant import open_client
from twd_shared.clients.schema_index import SchemaIndex


@dataclass(frozen=True, slots=True)
class Measured:
    """Times are Unix seconds, memory bytes; samples are from the registration on."""

    connections: int
    limit: int
    """TWD_MAX_CONCURRENT_RUNS."""
    one_by_one: float
    """Seconds an import by the peer."""
    registered: float
    first_seen: dict[str, float]
    searchable: set[str]
    """Partitions whose points in Qdrant are as many as their publication said, and some."""
    idle: Memory
    samples: Sequence[Sample]
    runs: Sequence[Run]
    written: Sequence[Written]
    ticks: Sequence[SensorTicks]
    sizes: Sizes

    @property
    def imported(self) -> dict[str, float]:
        """Partition → when its import had published it."""
        return first_written(self.written, IMPORTED)

    @property
    def trained(self) -> dict[str, float]:
        """Partition → when its knowledge base was first published."""
        return first_written(self.written, TRAINED)

    @property
    def all_imported(self) -> float:
        """When the last of them was imported."""
        return max(self.imported.values(), default=self.samples[-1].at)

    @property
    def memories(self) -> list[Memory]:
        """Memory over time."""
        return [sample.memory for sample in self.samples if sample.memory]

    @property
    def while_importing(self) -> list[Sample]:
        """The samples until the last import."""
        return [sample for sample in self.samples if sample.at <= self.all_imported]


def measure(
    stack: Stack,
    storage: Storage,
    samples: Sequence[Sample],
    before: int,
    registered: float,
    connections: int,
    one_by_one: float,
) -> Measured:
    """Read the stack; the first `before` samples are of its idle time."""
    now = time.time()
    return Measured(
        connections=connections,
        limit=int(stack.environment[settings.MAX_CONCURRENT_RUNS.name]),
        one_by_one=one_by_one,
        registered=registered,
        first_seen=storage.first_seen(),
        searchable=_searchable(stack, storage),
        idle=[sample.memory for sample in samples[:before] if sample.memory][-1],
        samples=samples[before:],
        runs=storage.runs(),
        written=storage.written(),
        ticks=sensor_ticks((tick for tick in storage.ticks() if tick.begun >= registered), now),
        sizes=storage.sizes(),
    )


def _searchable(stack: Stack, storage: Storage) -> set[str]:
    environment = stack.environment
    with closing(open_client(environment[settings.QDRANT_URL.name])) as client:
        index = SchemaIndex(client, settings.value_of(environment, settings.INDEX_ALIAS))
        served = index.served()
        present = index.counts(served.name) if served else {}
    return {
        one.partition
        for one in storage.points()
        if one.points and present.get(one.connection_id) == one.points
    }
