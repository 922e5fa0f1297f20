"""Running a user's SQL and a language model's on a source, and comparing their rows.

All of this domain that talks to a source. Nothing can be changed there: both run in one read-only
transaction that is rolled back, so that they see the same data too. What a query may cost is
bounded: its time, the rows that are taken, the length of each value, and its temporary files where
the role may bound them.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg

from twd_shared.clients.catalog import Connection
from twd_shared.sources.access import SourceAccess
from twd_shared.sources.address import SourceAddress
from twd_shared.sources.postgresql import end_session, open_session, source_errors
from twd_training.evaluation.answers import is_ordered, without_end
from twd_training.evaluation.calls import OF_THE_SOURCE, called_in, has_escaped_name
from twd_training.evaluation.outcomes import Compared
from twd_training.evaluation.results import Rows, difference

MOST_ROWS = 10_000
"""A user's SQL that gives more is a report, no answer, and is not compared."""
LONGEST_STATEMENT_SECONDS = 10.0
"""A guest's queries must not occupy a source longer, whatever its other limits are."""

_DIALECT = "postgresql"
_CONNECTION_SECONDS = 10.0
_TEMPORARY_FILES = "256MB"
# Of a longer value its hash is taken: a query may give rows of a gigabyte.
_LONGEST_VALUE = 200
_CELL = (
    "case when pg_catalog.octet_length({0}::pg_catalog.text) > {1} then pg_catalog.encode("
    "pg_catalog.sha256(pg_catalog.convert_to({0}::pg_catalog.text, 'UTF8')), 'hex')"
    " else {0}::pg_catalog.text end"
)
# Beginnings of SQLSTATEs that blame no query: the source is going away, or a table is locked.
_OF_THE_SERVER = ("08", "55P03", "57P", "58")


class _QueryFailed(Exception):
    """A query gives no rows; the message is the error's class, never the driver's text."""


class _QueryRefused(Exception):
    """A query is not run; the message says why."""


class SourceQueries:
    """Compares queries on one connection's source, a PostgreSQL."""

    def __init__(self, access: SourceAccess, connection: Connection) -> None:
        """Reaches the source within the limits of `access`, and of this module."""
        self._access = access
        self._connection = connection
        seconds = min(access.limits.statement_seconds, LONGEST_STATEMENT_SECONDS)
        self._limits = replace(access.limits, statement_seconds=seconds)

    def compare(self, expected: str, given: str) -> Compared:
        """How the rows of `given` compare with those of `expected`: each one query that reads.

        Raises what `SourceAccess.reading` raises, SourceUnavailable and SourceRefused.
        """
        return asyncio.run(self._compare(expected, given))

    async def _compare(self, expected: str, given: str) -> Compared:
        async with self._access.reading(self._connection) as reading:
            return await self._run(reading.address, expected, given)

    async def _run(self, address: SourceAddress, expected: str, given: str) -> Compared:
        limits = self._limits
        with source_errors(self._connection.label, address, limits):
            async with asyncio.timeout(
                limits.connect_seconds + 2 * limits.statement_seconds + _CONNECTION_SECONDS
            ):
                session = await open_session(
                    address, limits, "twd-evaluation", own_search_path=True
                )
                try:
                    return await _compared(session, expected, given)
                finally:
                    await end_session(session)


async def _compared(session: asyncpg.Connection, expected: str, given: str) -> Compared:
    await _bound_temporary_files(session)
    transaction = session.transaction(isolation="repeatable_read", readonly=True)
    await transaction.start()
    try:
        wanted = await _rows(session, expected, MOST_ROWS)
    except (_QueryFailed, _QueryRefused) as error:
        return Compared("not_comparable", f"the user's SQL: {error}")
    if not wanted.rows:
        # Any other query that finds nothing would match, right or wrong.
        return Compared("not_comparable", "the user's SQL gives no row")
    if len(wanted.rows) > MOST_ROWS:
        return Compared("not_comparable", f"the user's SQL gives more than {MOST_ROWS} rows")
    try:
        found = await _rows(session, given, len(wanted.rows))
    except _QueryRefused as error:
        return Compared("refused", str(error))
    except _QueryFailed as error:
        return Compared("failed", str(error))
    await transaction.rollback()
    said = difference(wanted, found, ordered=is_ordered(expected, _DIALECT))
    return Compared("different", said) if said else Compared("matched")


async def _rows(session: asyncpg.Connection, sql: str, most: int) -> Rows:
    """The rows of a query, one more than `most` if there are so many.

    Raises _QueryFailed and _QueryRefused.
    """
    query = without_end(sql, _DIALECT)
    try:
        async with session.transaction():
            # Alone first: only what is a statement by itself is put between brackets.
            statement = await session.prepare(query)
            if statement.get_parameters():
                raise _QueryFailed("it has parameters")
            types = [attribute.type.name for attribute in statement.get_attributes()]
            if not types:
                raise _QueryFailed("it has no columns")
            # A read-only transaction does not bind what a function does outside of it.
            if has_escaped_name(query):
                raise _QueryRefused("it writes a name in escapes")
            if await session.fetchval(OF_THE_SOURCE, *called_in(query)):
                raise _QueryRefused("it calls a function of the source's own")
            rows = await session.fetch(_as_texts(query, len(types), most + 1))
    except asyncpg.PostgresError as error:
        if str(getattr(error, "sqlstate", "")).startswith(_OF_THE_SERVER):
            raise
        raise _QueryFailed(type(error).__name__) from None
    except asyncpg.InterfaceError as error:
        if session.is_closed():
            raise
        raise _QueryFailed(type(error).__name__) from None
    return Rows(types, [tuple(row) for row in rows])


def _as_texts(query: str, width: int, most: int) -> str:
    """A query for the first rows of `query`, each value as a short text."""
    names = [f"c{place}" for place in range(width)]
    cells = ", ".join(_CELL.format(f"q.{name}", _LONGEST_VALUE) for name in names)
    return f"select {cells} from (\n{query}\n) as q({', '.join(names)}) limit {most}"  # noqa: S608


async def _bound_temporary_files(session: asyncpg.Connection) -> None:
    """As far as the role may: superusers, and from PostgreSQL 15 on who was granted to set it."""
    try:
        await session.execute(f"set temp_file_limit = '{_TEMPORARY_FILES}'")
    except asyncpg.InsufficientPrivilegeError:
        return
