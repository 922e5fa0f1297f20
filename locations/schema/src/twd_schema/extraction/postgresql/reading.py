"""One reading of a PostgreSQL database: connecting, one consistent snapshot, the errors.

A repeatable-read, read-only transaction sees one state of the catalogs. The server deparses from
their newest state, though: a reading during which one of its relations was written is repeated.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterable, Iterator

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from twd_schema.extraction.postgresql import APPLICATION_NAME
from twd_schema.extraction.postgresql.building import TAKEN_AFTER, SnapshotBuilder
from twd_schema.extraction.postgresql.samples import LARGEST_CATEGORY, with_categories
from twd_schema.extraction.postgresql.statements import (
    CHANGED_SINCE,
    SAMPLES,
    SNAPSHOT,
    statements,
)
from twd_schema.extraction.postgresql.values import ObjectVanished, Rows
from twd_shared.errors import SourceUnavailable
from twd_shared.schema_model.models import Snapshot
from twd_shared.sources.address import SourceAddress
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.postgresql import open_session, source_errors

_ATTEMPTS = 3
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_Asked = Iterator[tuple[str, str]]
"""What is still to be asked: names and statements, shared by the sessions."""


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

    While the server works on an answer, those before are made into values, in threads.
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
        self._sessions: list[asyncpg.Connection] = []

    async def snapshot(self) -> Snapshot:
        """One attempt; raises ObjectVanished if the schema changed meanwhile."""
        try:
            first = await self._connect()
            with _no_cycle_collection:
                return await self._read(first)
        except ExceptionGroup as failures:
            raise _first_of(failures) from None
        finally:
            # A polite close waits for the server; one that hangs must not hold us.
            for session in self._sessions:
                session.terminate()

    async def _read(self, first: asyncpg.Connection) -> Snapshot:
        asked = iter(statements(first.get_server_version().major).items())
        async with asyncio.TaskGroup() as taking:
            await first.execute(_BEGIN)
            [snapshot] = await first.fetch(SNAPSHOT)
            builder = SnapshotBuilder()
            answers = _Answers(builder, taking)
            prepared = await self._ask(asked, answers, first, snapshot["exported"])
            samples = await first.fetch(SAMPLES, LARGEST_CATEGORY) if self._samples else []
            # What was written meanwhile is seen after the transaction only.
            check = prepared or await _prepare_check(first)
            checking = taking.create_task(check.fetch(snapshot["oldest"]))
            if prepared:
                # Its transaction holds locks on the source, and building takes a while.
                first.terminate()
            if self._on_statement:
                # Of what is prepared, the driver tells nobody.
                self._on_statement(CHANGED_SINCE)
            await answers.taken()
            made = await asyncio.to_thread(builder.snapshot, self._address.place)
        if builder.has_changed(checking.result()):
            raise ObjectVanished
        return with_categories(made, samples)

    async def _ask(
        self, asked: _Asked, answers: _Answers, first: asyncpg.Connection, exported: str | None
    ) -> PreparedStatement | None:
        """Ask all that is left, also by a second session where a snapshot was exported for it.

        A second session has ended its transaction and prepared the check of what changed.
        """
        second: asyncpg.Connection | None = None

        async def ask_too(name: str) -> PreparedStatement | None:
            nonlocal second
            second = await self._join(name)
            if not second:
                return None
            await answers.ask(second, asked)
            return await _prepare_check(second)

        async with asyncio.TaskGroup() as group:
            asking = group.create_task(ask_too(exported)) if exported else None
            await answers.ask(first, asked)
            if asking and not second:
                asking.cancel()
        return asking.result() if asking and second else None

    async def _join(self, exported: str) -> asyncpg.Connection | None:
        """A session on the exported snapshot; None if there can be no second one."""
        session: asyncpg.Connection | None = None
        try:
            session = await self._connect()
            name = exported.replace("'", "")
            await session.execute(f"{_BEGIN}; SET TRANSACTION SNAPSHOT '{name}'")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            # A limit on connections, or a proxy that leads elsewhere: one session does it too.
            if session:
                session.terminate()
            return None
        return session

    async def _connect(self) -> asyncpg.Connection:
        session = await open_session(self._address, self._limits, APPLICATION_NAME)
        self._sessions.append(session)
        if on_statement := self._on_statement:
            session.add_query_logger(lambda record: on_statement(record.query))
        return session


class _Answers:
    """Has the builder take the answers of one reading, each as soon as those it needs are taken."""

    def __init__(self, builder: SnapshotBuilder, group: asyncio.TaskGroup) -> None:
        self._builder, self._group = builder, group
        self._taken = {name: asyncio.Event() for name in TAKEN_AFTER}

    async def ask(self, session: asyncpg.Connection, asked: _Asked) -> None:
        """Ask what nobody has asked yet, one after the other, until all is asked."""
        for name, statement in asked:
            rows = await session.fetch(statement)
            self._group.create_task(self._take(name, rows))

    async def _take(self, name: str, rows: Rows) -> None:
        await self.taken(TAKEN_AFTER[name])
        await asyncio.to_thread(self._builder.take, name, rows)
        self._taken[name].set()

    async def taken(self, names: Iterable[str] = tuple(TAKEN_AFTER)) -> None:
        """Wait until these answers are taken."""
        for name in names:
            await self._taken[name].wait()


async def _prepare_check(session: asyncpg.Connection) -> PreparedStatement:
    """What asks, outside the transaction that ends, what others have written since it began."""
    await session.execute("COMMIT")
    return await session.prepare(CHANGED_SINCE)


def _first_of(failures: ExceptionGroup) -> Exception:
    failure = failures.exceptions[0]
    return _first_of(failure) if isinstance(failure, ExceptionGroup) else failure


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
