"""One reading of a PostgreSQL database: connecting, one consistent snapshot, the errors.

A repeatable-read, read-only transaction sees one state of the catalogs. The server deparses from
their newest state, though: a reading during which one of its relations was written is repeated.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterable, Mapping

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from twd_schema.extraction.postgresql import APPLICATION_NAME
from twd_schema.extraction.postgresql.building import TAKEN_AFTER, SnapshotBuilder
from twd_schema.extraction.postgresql.statements import (
    CHANGED_SINCE,
    SNAPSHOT,
    statements,
)
from twd_schema.extraction.postgresql.values import ObjectVanished, Rows
from twd_shared.errors import SourceUnavailable
from twd_shared.lock_patience import LockPatience
from twd_shared.schema_model.models import Snapshot
from twd_shared.sources.address import SourceAddress
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.postgresql import NOT_TEXT, end_session, open_session, source_errors

_ATTEMPTS = 3
_IF_DAMAGED = (
    " If nothing is changed there, its catalogs may be damaged: look for SQLSTATE XX000 in that "
    "server's log."
)
# How the server writes constants of money. Not at the session's start as the other settings of that
# kind: poolers refuse what they were not told to ignore.
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lc_monetary = 'C'"


async def read_postgresql(
    label: str,
    address: SourceAddress,
    limits: ReadLimits,
    samples: bool,
    on_statement: Callable[[str], None] | None,
) -> Snapshot:
    """The schema of the database at `address`; `label` names the connection in errors.

    With `samples`, the few values of a column as the planner knows them come along;
    `on_statement` gets each statement that was sent.
    Raises SourceUnavailable when it cannot be reached, takes longer than `limits` allow or changes
    faster than it can be read, and SourceRefused when it answers and refuses. A reading that is
    cut off gives no snapshot.
    """
    reading = _Reading(address, limits, samples, on_statement)
    patience = LockPatience(limits.lock_seconds)
    with source_errors(label, address, limits):
        # The limit over all of it is for a server that accepts and then says nothing.
        async with asyncio.timeout(limits.connect_seconds + limits.statement_seconds):
            attempt = 1
            advice = ""
            while attempt <= _ATTEMPTS:
                try:
                    return await reading.snapshot()
                except ObjectVanished:
                    attempt += 1
                except asyncpg.InternalServerError:
                    # So the server says, too, that what it deparses was dropped meanwhile.
                    advice = _IF_DAMAGED
                    attempt += 1
                except asyncpg.LockNotAvailableError:
                    # With its session the reading has let go of all locks of its own.
                    if not await patience.pause():
                        raise
    raise SourceUnavailable(
        f"{label} at {address.place} changed its schema during each of {_ATTEMPTS} readings. "
        f"Nothing was recorded; it is read again later.{advice}"
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
            await asyncio.gather(*map(end_session, self._sessions))

    async def _read(self, first: asyncpg.Connection) -> Snapshot:
        async with asyncio.TaskGroup() as taking:
            await first.execute(_BEGIN)
            [snapshot] = await first.fetch(SNAPSHOT)
            asked = statements(
                first.get_server_version().major,
                shared=bool(snapshot["exported"]),
                samples=self._samples,
            )
            builder = SnapshotBuilder()
            answers = _Answers(builder, taking, asked)
            check = await self._ask(answers, first, snapshot["exported"])
            # What was written meanwhile is seen after the transaction only.
            checking = taking.create_task(check.fetch(snapshot["oldest"]))
            if self._on_statement:
                # Of what is prepared, the driver tells nobody.
                self._on_statement(CHANGED_SINCE)
            await answers.taken()
            made = await asyncio.to_thread(builder.snapshot, self._address.place)
        if builder.has_changed(checking.result()):
            raise ObjectVanished
        return made

    async def _ask(
        self, answers: _Answers, first: asyncpg.Connection, exported: str | None
    ) -> PreparedStatement:
        """Ask everything, also by a second session where a snapshot was exported for it.

        Gives the prepared check of what changed, when no transaction is left open.
        """
        asking: list[asyncpg.Connection] = []
        ready: dict[asyncpg.Connection, PreparedStatement] = {}
        has_joined = False

        async def ask_by(session: asyncpg.Connection) -> None:
            asking.append(session)
            await answers.ask(session)
            asking.remove(session)
            if asking:
                # The other is still at work: this one gets ready for what comes after.
                ready[session] = await _prepare_check(session)

        async def join(name: str) -> None:
            nonlocal has_joined
            if second := await self._join(name):
                has_joined = True
                await ask_by(second)

        async with asyncio.TaskGroup() as group:
            joining = group.create_task(join(exported)) if exported else None
            await ask_by(first)
            if joining and not has_joined:
                joining.cancel()
        if not ready:
            ready[first] = await _prepare_check(first)
        [(session, check)] = ready.items()
        for other in self._sessions:
            if other is not session:
                # Its transaction holds locks on the source, and building takes a while.
                other.terminate()
        return check

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

    def __init__(
        self, builder: SnapshotBuilder, group: asyncio.TaskGroup, asked: Mapping[str, str]
    ) -> None:
        self._builder, self._group = builder, group
        # What is still to be asked, shared by the sessions.
        self._asked = iter(asked.items())
        self._taken = {name: asyncio.Event() for name in asked}

    async def ask(self, session: asyncpg.Connection) -> None:
        """Ask what nobody has asked yet, one after the other, until all is asked."""
        for name, statement in self._asked:
            try:
                rows = await session.fetch(statement)
            except NOT_TEXT:
                # One value must not make the whole schema unreadable.
                if name != "samples":
                    raise
                rows = ()
            self._group.create_task(self._take(name, rows))

    async def _take(self, name: str, rows: Rows) -> None:
        await self._are_taken(TAKEN_AFTER[name])
        await asyncio.to_thread(self._builder.take, name, rows)
        self._taken[name].set()

    async def taken(self) -> None:
        """Wait until all answers are taken."""
        await self._are_taken(self._taken)

    async def _are_taken(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._taken:
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
