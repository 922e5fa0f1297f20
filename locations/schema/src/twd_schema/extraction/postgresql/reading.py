"""One reading of a PostgreSQL database: connecting, one consistent snapshot, the errors.

A repeatable-read, read-only transaction sees one state of the catalogs. The server deparses from
their newest state, though: a reading during which one of its relations was written is repeated.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import asyncpg
import msgspec

from twd_schema.extraction.address import SourceAddress
from twd_schema.extraction.limits import ReadLimits
from twd_schema.extraction.postgresql.building import TAKEN_AFTER, SnapshotBuilder
from twd_schema.extraction.postgresql.samples import LARGEST_CATEGORY, with_categories
from twd_schema.extraction.postgresql.statements import CHANGED_SINCE, SAMPLES, statements
from twd_schema.extraction.postgresql.values import ObjectVanished, Rows
from twd_shared.errors import SourceRefused, SourceUnavailable, TwdError
from twd_shared.schema_model.models import Snapshot

_ATTEMPTS = 3
# The first with transaction ids of 64 bits, by which a change during the reading is noticed.
_OLDEST_RELEASE = 13


class _ReleaseTooOld(Exception):
    """The server's major release is older than can be read."""


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
    with _source_errors(label, address, limits):
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
            if major < _OLDEST_RELEASE:
                raise _ReleaseTooOld(major)
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
                return with_categories(builder.snapshot(), samples)
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
        connection = await _connect(self._address, self._limits)
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


async def _connect(address: SourceAddress, limits: ReadLimits) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=address.host,
        port=address.port or 5432,
        user=address.user or None,
        password=address.password,
        database=address.database,
        ssl=address.ssl_mode,
        timeout=limits.connect_seconds,  # pyright: ignore[reportArgumentType]
        statement_cache_size=0,
        server_settings={
            "application_name": "twd-schema",
            "search_path": "",
            "default_transaction_read_only": "on",
            "statement_timeout": str(int(limits.statement_seconds * 1000)),
            "lock_timeout": str(int(limits.lock_seconds * 1000)),
            "idle_in_transaction_session_timeout": "0",
            # How the server writes constants; a source may have set any of them to its own taste.
            "datestyle": "ISO, YMD",
            "intervalstyle": "postgres",
            "timezone": "UTC",
            "extra_float_digits": "1",
            "bytea_output": "hex",
            "quote_all_identifiers": "off",
            "standard_conforming_strings": "on",
            # Compiling a catalog query for its size takes longer than running it.
            "jit": "off",
            # The default makes the server sort and join a large catalog on disk.
            "work_mem": "64MB",
            # A guest: the source's other cores are for its own work.
            "max_parallel_workers_per_gather": "0",
        },
    )


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


@contextmanager
def _source_errors(label: str, address: SourceAddress, limits: ReadLimits) -> Iterator[None]:
    where = f"{label} at {address.place}"
    try:
        yield
    except TwdError:
        raise
    except _ReleaseTooOld as error:
        raise SourceRefused(
            f"{where} is PostgreSQL {error.args[0]}; {_OLDEST_RELEASE} is the oldest release that "
            "is read. Upgrade the server."
        ) from None
    except asyncpg.InvalidAuthorizationSpecificationError:
        raise SourceRefused(
            f"{where} refused user {address.user!r}: wrong password, unknown user or not allowed "
            "from here (pg_hba.conf). Correct the connection in the application."
        ) from None
    except asyncpg.InvalidCatalogNameError:
        raise SourceRefused(
            f"{where}: there is no database {address.database!r} on that server. "
            "Correct the connection in the application."
        ) from None
    except asyncpg.InsufficientPrivilegeError:
        raise SourceRefused(
            f"{where}: user {address.user!r} may not connect or read the catalogs. "
            "Grant it CONNECT on the database and USAGE on its schemas."
        ) from None
    except (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError):
        raise SourceRefused(
            f"{where} holds a name or comment that is not text in the encoding that the database "
            "claims (often SQL_ASCII). Rename it, or move the database to UTF8."
        ) from None
    except (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, TimeoutError):
        raise SourceUnavailable(
            f"{where} did not answer in time (connect {limits.connect_seconds:g} s, "
            f"statements {limits.statement_seconds:g} s). Check its load and the network."
        ) from None
    except asyncpg.PostgresError as error:
        state = getattr(error, "sqlstate", None)
        raise SourceUnavailable(
            f"{where} failed with SQLSTATE {state} ({type(error).__name__}). "
            "Look at that server's log."
        ) from None
    except ssl.SSLError:
        raise SourceUnavailable(
            f"{where}: the TLS handshake failed. Check sslmode in the connection string."
        ) from None
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise SourceUnavailable(
            f"{where} cannot be reached ({type(error).__name__}). Check host and port, that the "
            "server runs, and that it can be reached from here."
        ) from None
