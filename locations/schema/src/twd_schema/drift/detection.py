"""Which sources have drifted: all asked at once, within bounds, none able to stall the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from twd_schema.extraction.reading import SchemaReader
from twd_schema.extraction.scope import scoped
from twd_schema.history.confirmation import completed
from twd_shared.clients.catalog import Connection
from twd_shared.errors import TwdError
from twd_shared.schema_model.fingerprint import object_fingerprints, snapshot_fingerprint
from twd_shared.schema_model.models import Snapshot

# Asking more at once gained nothing when measured.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """A source's fingerprint now, or why it could not be read."""

    fingerprint: str | None
    error: str = ""


NewestSnapshot = Callable[[str], Snapshot]
"""The newest stored snapshot of a connection, by its id."""


def read_fingerprints(
    connections: Sequence[Connection],
    reader: SchemaReader,
    newest: NewestSnapshot,
    budget_seconds: float,
) -> Mapping[str, Reading]:
    """A reading by connection id; one that is not done within the budget says so.

    What a reading cannot tell counts as it is in the newest snapshot, as a sync keeps it.
    """
    # Not asyncio.run: it waits for threads, and a driver in one cannot be interrupted.
    loop = asyncio.new_event_loop()
    try:
        loop.set_default_executor(ThreadPoolExecutor(_AT_ONCE, "read-source"))
        return loop.run_until_complete(_read_all(connections, reader, newest, budget_seconds))
    finally:
        loop.close()


async def _read_all(
    connections: Sequence[Connection],
    reader: SchemaReader,
    newest: NewestSnapshot,
    budget_seconds: float,
) -> Mapping[str, Reading]:
    places = asyncio.Semaphore(_AT_ONCE)

    async def read(connection: Connection) -> Reading:
        async with places:
            try:
                snapshot = await reader.read_async(connection)
                if snapshot.granted is not None or snapshot.unknown:
                    stored = await asyncio.to_thread(newest, connection.connection_id)
                    snapshot, _ = completed(snapshot, scoped(stored, connection.extraction))
                fingerprints = object_fingerprints(snapshot)
            except TwdError as error:
                return Reading(None, str(error))
            except Exception as error:
                # A driver's own text may repeat a connection string.
                return Reading(
                    None,
                    f"{connection.label} could not be read ({type(error).__name__}). "
                    "Run schema_sync_job for it to see where.",
                )
            return Reading(snapshot_fingerprint(fingerprints))

    tasks = {item.connection_id: asyncio.create_task(read(item)) for item in connections}
    if tasks:
        await asyncio.wait(tasks.values(), timeout=budget_seconds)
    readings: dict[str, Reading] = {}
    for connection in connections:
        task = tasks[connection.connection_id]
        if task.done():
            readings[connection.connection_id] = task.result()
        else:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            readings[connection.connection_id] = Reading(
                None,
                f"{connection.label} was not read within this tick's {budget_seconds:g} s. "
                "It is asked again at the next tick.",
            )
    return readings
