"""One reading of a PostgreSQL database: connecting, one consistent snapshot, the errors.

A repeatable-read, read-only transaction sees one state of the catalogs. The server deparses from
their newest state, though: a reading during which one of its relations was written is repeated.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import asyncpg

from twd_schema.extraction.address import SourceAddress
from twd_schema.extraction.limits import ReadLimits
from twd_schema.extraction.postgresql.building import ObjectVanished, Rows, build_snapshot
from twd_schema.extraction.postgresql.samples import LARGEST_CATEGORY, with_categories
from twd_schema.extraction.postgresql.statements import CHANGED_SINCE, SAMPLES, STATEMENTS
from twd_shared.errors import SourceRefused, SourceUnavailable, TwdError
from twd_shared.schema_model.models import Snapshot

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
    with _source_errors(label, address, limits):
        # The limit over all of it is for a server that accepts and then says nothing.
        async with asyncio.timeout(limits.connect_seconds + limits.statement_seconds):
            connection = await _connect(address, limits)
            if on_statement:
                connection.add_query_logger(lambda record: on_statement(record.query))
            try:
                for attempt in range(1, _ATTEMPTS + 1):
                    try:
                        rows = await _fetch_all(connection, samples)
                    except asyncpg.InternalServerError:
                        # So the server says that what it deparses was dropped meanwhile.
                        if attempt == _ATTEMPTS:
                            raise
                        continue
                    if await _is_settled(connection, rows):
                        with _no_cycle_collection(), suppress(ObjectVanished):
                            return with_categories(build_snapshot(rows), rows)
            finally:
                # A polite close waits for the server; one that hangs must not hold us.
                connection.terminate()
    raise SourceUnavailable(
        f"{label} at {address.place} changed its schema during each of {_ATTEMPTS} readings. "
        "Nothing was recorded; it is read again later."
    )


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
            # Compiling a catalog query for its size takes longer than running it.
            "jit": "off",
        },
    )


async def _fetch_all(connection: asyncpg.Connection, samples: bool) -> Mapping[str, Rows]:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows: dict[str, Rows] = {
            name: await connection.fetch(statement) for name, statement in STATEMENTS.items()
        }
        rows["samples"] = await connection.fetch(SAMPLES, LARGEST_CATEGORY) if samples else []
    return rows


async def _is_settled(connection: asyncpg.Connection, rows: Mapping[str, Rows]) -> bool:
    taken = next(row["place"] for row in rows["places"] if row["kind"] == "server")
    written = {row["oid"] for row in await connection.fetch(CHANGED_SINCE, taken)}
    return written.isdisjoint(row["oid"] for row in rows["tables"])


@contextmanager
def _no_cycle_collection() -> Iterator[None]:
    # The values hold no cycles, and looking for some while 100,000 are made costs the most time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _source_errors(label: str, address: SourceAddress, limits: ReadLimits) -> Iterator[None]:
    where = f"{label} at {address.place}"
    try:
        yield
    except TwdError:
        raise
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
