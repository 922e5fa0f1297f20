"""A session on a PostgreSQL source: how it is opened, and what its errors mean to people."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import asyncpg

from twd_shared.errors import SourceRefused, SourceUnavailable, TwdError
from twd_shared.sources.address import CORRECT_CONNECTION, SourceAddress
from twd_shared.sources.encryption import DEMANDING, encrypting, is_verifying, refusal
from twd_shared.sources.limits import ReadLimits

# The first with transaction ids of 64 bits, by which a change during the reading is noticed.
_OLDEST_RELEASE = 13
# Two sessions that wait for each other: the server ends the one that has waited a second first
# (deadlock_timeout). That must not be one of the source's own, so ours never waits for long. What
# is left is the tenth of a second in which one of our waits begins when theirs is nearly over.
_LOCK_WAIT_SECONDS = 0.1
# A server that hangs must not hold us.
_LONGEST_PARTING_SECONDS = 1.0
NOT_TEXT = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""What is no text in the encoding that the database claims."""

# The driver has no error of its own for it.
_NO_ENCRYPTION = "rejected SSL upgrade"


class _ReleaseTooOld(Exception):
    """The server's major release is older than can be read."""


async def open_session(
    address: SourceAddress,
    limits: ReadLimits,
    application_name: str,
    *,
    own_search_path: bool = False,
) -> asyncpg.Connection:
    """A read-only session with these limits; raises what `source_errors` explains.

    Each lock is waited for a tenth of a second; LockNotAvailableError ends the transaction then.
    With `own_search_path` a name without schema means what it means to the role; else nothing.
    """
    session = await asyncpg.connect(
        host=address.host,
        port=address.port or 5432,
        user=address.user or None,
        password=address.password,
        database=address.database,
        # The driver verifies too, but by files of its own in the home folder alone.
        ssl=encrypting(mode) if is_verifying(mode := address.ssl_mode) else mode,
        timeout=limits.connect_seconds,  # pyright: ignore[reportArgumentType]
        statement_cache_size=0,
        server_settings={
            "application_name": application_name,
            **({} if own_search_path else {"search_path": ""}),
            "default_transaction_read_only": "on",
            "statement_timeout": str(int(limits.statement_seconds * 1000)),
            "lock_timeout": str(int(_LOCK_WAIT_SECONDS * 1000)),
            # Of a client that is lost the server hears nothing: its locks must not outlive it by
            # more than the whole of a reading may take.
            "idle_in_transaction_session_timeout": str(
                int((limits.connect_seconds + limits.statement_seconds) * 1000)
            ),
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
    if (major := session.get_server_version().major) < _OLDEST_RELEASE:
        session.terminate()
        raise _ReleaseTooOld(major)
    return session


async def end_session(session: asyncpg.Connection) -> None:
    """End the session and what the server does for it: a statement that was cut off is cancelled.

    A server that does not answer within a second is left alone: its own limits end the statement.
    """
    with suppress(Exception):
        await session.close(timeout=_LONGEST_PARTING_SECONDS)


@contextmanager
def source_errors(label: str, address: SourceAddress, limits: ReadLimits) -> Iterator[None]:
    """Raises the driver's errors as SourceUnavailable or SourceRefused, without its own text."""
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
            "from here (pg_hba.conf)"
            + (", or not with sslmode=disable." if address.ssl_mode == "disable" else "."),
            CORRECT_CONNECTION,
        ) from None
    except asyncpg.TooManyConnectionsError:
        raise SourceUnavailable(
            f"{where} has no connection left for user {address.user!r}. Look at CONNECTION LIMIT "
            "of the role and of the database, and at the server's max_connections."
        ) from None
    except asyncpg.InvalidCatalogNameError:
        raise SourceRefused(
            f"{where}: there is no database {address.database!r} on that server.",
            CORRECT_CONNECTION,
        ) from None
    except asyncpg.InsufficientPrivilegeError:
        raise SourceRefused(
            f"{where}: user {address.user!r} may not connect or read the catalogs. "
            "Grant it CONNECT on the database and USAGE on its schemas."
        ) from None
    except NOT_TEXT:
        raise SourceRefused(
            f"{where} holds a name or comment that is not text in the encoding that the database "
            "claims (often SQL_ASCII). Rename it, or move the database to UTF8."
        ) from None
    except asyncpg.LockNotAvailableError:
        raise SourceUnavailable(
            f"{where}: another session (a migration?) holds locks on what was to be read, for "
            "longer than is waited for. Nothing was read; it is tried again later."
        ) from None
    except (asyncpg.QueryCanceledError, TimeoutError):
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
    except ssl.SSLCertVerificationError:
        raise SourceRefused(f"{where}: {refusal(address.ssl_mode)}.", CORRECT_CONNECTION) from None
    except ssl.SSLError:
        raise SourceUnavailable(
            f"{where}: the TLS handshake failed. Check sslmode in the connection string."
        ) from None
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # Where nothing is required, only what is no PostgreSQL server answers so.
        if address.ssl_mode in DEMANDING and _NO_ENCRYPTION in str(error):
            raise SourceRefused(
                f"{where}: {refusal(address.ssl_mode)}.", CORRECT_CONNECTION
            ) from None
        raise SourceUnavailable(
            f"{where} cannot be reached ({type(error).__name__}). Check host and port, that the "
            "server runs, and that it can be reached from here."
        ) from None
