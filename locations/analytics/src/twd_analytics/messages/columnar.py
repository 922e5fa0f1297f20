"""Reading many rows of the application's database into polars, in batches of columns.

ADBC has the server send a result as COPY does and gives it as Arrow, without a Python object a
value: row by row the same takes several times as long. Not here: what is asked (`reading.py`).
"""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import adbc_driver_manager as adbc
import nanoarrow
import polars as pl
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi

from twd_shared.clients.application import LOCKED, ODD_TYPES, ApplicationDatabase
from twd_shared.clients.dsn import libpq_address
from twd_shared.errors import ApplicationUnavailable

_CANCELED = "57014"
# Of SQLSTATE: login, database, access. Only a person can change these.
_REFUSALS = ("28", "3D", "42")
_OPTIONS = {"connect_timeout": "10", "application_name": "twd", "client_encoding": "UTF8"}


def batches(database: ApplicationDatabase, query: str) -> Iterator[pl.DataFrame]:
    """The rows of `query`, some 16 MiB at a time, read in one read-only transaction.

    The next batch is fetched while one is worked on.
    Raises: ApplicationUnavailable (down, too slow), ApplicationRefused; neither repeats the
    connection string.
    """
    fetched = _fetched(database, query)
    with ThreadPoolExecutor(1) as fetching:
        waiting = fetching.submit(next, fetched, None)
        try:
            while (batch := waiting.result()) is not None:
                waiting = fetching.submit(next, fetched, None)
                yield batch
        finally:
            # The thread that opened the connection closes it, whoever has had enough.
            fetching.submit(fetched.close)


def _fetched(database: ApplicationDatabase, query: str) -> Generator[pl.DataFrame]:
    try:
        dsn = libpq_address(sa.make_url(database.dsn).update_query_dict(_OPTIONS))
        with closing(dbapi.connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("set transaction read only")
            for limit in database.limits:
                cursor.execute(limit)
            cursor.execute(query)
            arrays: Iterator[nanoarrow.Array] = iter(  # pyright: ignore[reportCallIssue]
                nanoarrow.ArrayStream(cursor.fetch_arrow())  # pyright: ignore[reportArgumentType]
            )
            try:
                for array in arrays:
                    yield pl.Series(array).struct.unnest()
            except RuntimeError as error:
                raise _what_happened(str(error), connection, database) from None
    except adbc.Error as error:
        if error.sqlstate == _CANCELED:
            raise database.too_slow() from None
        if error.sqlstate == LOCKED:
            raise database.locked() from None
        if (error.sqlstate or "").startswith(ODD_TYPES):
            raise database.odd_type(f"SQLSTATE {error.sqlstate}") from None
        if (error.sqlstate or "").startswith(_REFUSALS):
            raise database.refused(f"SQLSTATE {error.sqlstate}") from None
        raise database.unavailable(type(error).__name__) from None


def _what_happened(
    said: str, connection: dbapi.Connection, database: ApplicationDatabase
) -> ApplicationUnavailable:
    """Why no next batch came: of the driver's error a number is left, and no SQLSTATE."""
    if f"({errno.ECANCELED})" in said:
        return database.too_slow()
    try:
        connection.rollback()
    except adbc.Error:
        return database.unavailable("ConnectionLost")
    return database.broke_off()
