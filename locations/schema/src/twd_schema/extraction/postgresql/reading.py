"""One reading of a PostgreSQL database: connecting, one consistent snapshot, the errors.

A repeatable-read, read-only transaction sees one state of the catalogs. The server deparses from
their newest state, though: a reading during which one of its relations was written is repeated.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Mapping

import asyncpg
import msgspec

from twd_schema.extraction.postgresql import APPLICATION_NAME
from twd_schema.extraction.postgresql.building import TAKEN_AFTER, SnapshotBuilder
from twd_schema.extraction.postgresql.samples import LARGEST_CATEGORY, with_categories
from twd_schema.extraction.postgresql.statements import CHANGED_SINCE, SAMPLES, statements
from twd_schema.extraction.postgresql.values import ObjectVanished, Rows
from twd_shared.errors import SourceUnavailable
from twd_shared.schema_model.models import Snapshot
from twd_shared.sources.address import SourceAddress
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.postgresql import open_session, source_errors

_ATTEMPTS = 3


async def read_postgresql(
    label: str,
    address: SourceAddress,
    limits: ReadLimits,
    samples: bool = False,
    on_statement: Callable[[str], None] | None = None,
) -> Snapshot:
    """The schema of the database at `address`; `label` names the connection in errors.

    With `samples`, the few values of a column as the planner knows them come along;
    `on_statement` gets each statement that was sent.
    Raises SourceUnavailable when it cannot be reached, takes longer than `limits` allow or changes
    faster than it can be read, and SourceRefused when it answers and refuses. A reading that is
    cut off gives no snapshot.
    """
    reading = _Reading(address, limits, samples, on_statement)
    with source_errors(label, address, limits):
        # The limit over all of it is for a server that accepts and then says nothing.
        async with asyncio.timeout(limits.connect_seconds + limits.statement_seconds):
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    return await reading.snapshot()
                except ObjectVanished:
                    continue
                except asyncpg.InternalServerError:
                    # So the server says, too, that what it deparses was dropped meanwhile.
                    if attempt == _ATTEMPTS:
                        raise
    raise SourceUnavailable(
        f"{label} at {address.place} changed its schema during each of {_ATTEMPTS} readings. "
        "Nothing was recorded; it is read again later."
    )


class _Reading:
    """The sessions of one reading: one, or two on the same snapshot where the catalogs are large.

    While the server works on an answer, the one before is made into values, in a thread.
    """

    def __init__(
        self,
        address: SourceAddress,
        limits: ReadLimits,
        samples: bool,
        on_statement: Callable[[str], None] | None,
    ) -> None:
        self._address, self._limits = address, limits
        self._samples = samples
        self._on_statement = on_statement

    async def snapshot(self) -> Snapshot:
        """One attempt; raises ObjectVanished if the schema changed meanwhile."""
        first = await self._connect()
        second: asyncpg.Connection | None = None
        try:
            major = first.get_server_version().major
            with _no_cycle_collection:
                async with first.transaction(isolation="repeatable_read", readonly=True):
                    asked = statements(major)
                    [little] = await first.fetch(asked["little"])
                    rows = {
                        name: msgspec.json.decode(text or "[]") for name, text in little.items()
                    }
                    server = next(row for row in rows["places"] if row["kind"] == "server")
                    builder = SnapshotBuilder(**rows)
                    if server["comment"]:
                        second = await self._join(server["comment"])
                    await _fetch_into(
                        builder,
                        asked,
                        {first: "tables columns dependencies", second: "constraints indexes"}
                        if second
                        else {first: "tables columns constraints indexes dependencies"},
                    )
                    samples = await first.fetch(SAMPLES, LARGEST_CATEGORY) if self._samples else []
                written = await first.fetch(CHANGED_SINCE, server["place"])
                if builder.has_changed(written):
                    raise ObjectVanished
                return with_categories(builder.snapshot(self._address.place), samples)
        finally:
            # A polite close waits for the server; one that hangs must not hold us.
            first.terminate()
            if second:
                second.terminate()

    async def _join(self, exported: str) -> asyncpg.Connection | None:
        """A session on the exported snapshot; None if there can be no second one."""
        connection: asyncpg.Connection | None = None
        try:
            connection = await self._connect()
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            name = exported.replace("'", "")
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{name}'")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            # A limit on connections, or a proxy that leads elsewhere: one session does it too.
            if connection:
                connection.terminate()
            return None
        except asyncio.CancelledError:
            if connection:
                connection.terminate()
            raise
        return connection

    async def _connect(self) -> asyncpg.Connection:
        connection = await open_session(self._address, self._limits, APPLICATION_NAME)
        if on_statement := self._on_statement:
            connection.add_query_logger(lambda record: on_statement(record.query))
        return connection


async def _fetch_into(
    builder: SnapshotBuilder, asked: Mapping[str, str], sessions: Mapping[asyncpg.Connection, str]
) -> None:
    """Let the builder take the answers; each session asks for the names in its text, in order."""
    taken = {name: asyncio.Event() for name in asked}

    async def take(name: str, rows: Rows) -> None:
        for needed in TAKEN_AFTER[name]:
            await taken[needed].wait()
        await asyncio.to_thread(builder.take, name, rows)
        taken[name].set()

    async def ask(session: asyncpg.Connection, names: str) -> None:
        for name in names.split():
            rows = await session.fetch(asked[name])
            group.create_task(take(name, rows))

    try:
        async with asyncio.TaskGroup() as group:
            for session, names in sessions.items():
                group.create_task(ask(session, names))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


class _NoCycleCollection:
    """Switches the collection of cycles off while any reading is going on.

    Rows and values hold no cycles, and looking for some while 100,000 are made costs the most time.
    """

    def __init__(self) -> None:
        self._readings = 0
        self._lock = threading.Lock()
        self._was_enabled = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._readings:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._readings += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._readings -= 1
            if not self._readings and self._was_enabled:
                gc.enable()


_no_cycle_collection = _NoCycleCollection()
