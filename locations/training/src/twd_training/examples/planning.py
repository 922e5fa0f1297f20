"""Whether a source would run what users teach: it is asked to prepare it, and runs nothing.

What names tell is known without it (`checking.py`); types, functions and ambiguity are not. Not
asked by EXPLAIN: planning runs functions whose arguments are constant, with the rights of this
role, and a source's functions may do anything. Here is all of this domain that talks to a source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import asyncpg

from twd_shared.clients.catalog import Connection
from twd_shared.lock_patience import LockPatience
from twd_shared.sources.access import SourceAccess
from twd_shared.sources.address import SourceAddress
from twd_shared.sources.postgresql import end_session, open_session, source_errors

_LONGEST_REASON = 200
# Beginnings of SQLSTATEs for which no statement is to blame: connection, resources, locks,
# operator, system. https://www.postgresql.org/docs/18/errcodes-appendix.html
_OF_THE_SERVER = ("08", "53", "55P03", "57P", "58", "XX")
# The role lacks a right that users of the application may have, or the plan takes too long today.
_NOT_TOLD = (asyncpg.InsufficientPrivilegeError, asyncpg.QueryCanceledError)
_SECONDS_A_STATEMENT = 0.1


class SourcePlanner:
    """Asks one connection's source."""

    def __init__(self, access: SourceAccess, connection: Connection) -> None:
        """Reaches the source within the limits of `access`."""
        self._access = access
        self._connection = connection

    def refusals(self, statements: Iterable[str]) -> dict[str, str]:
        """Why the source plans some of the statements not, by statement.

        Each is one statement that only reads. A source that is not PostgreSQL refuses none. Raises
        what `SourceAccess.reading` raises, SourceUnavailable and SourceRefused.
        """
        return asyncio.run(self._refusals(tuple(dict.fromkeys(statements))))

    async def _refusals(self, statements: tuple[str, ...]) -> dict[str, str]:
        async with self._access.reading(self._connection) as reading:
            if reading.address.dialect != "postgresql" or not statements:
                return {}
            found = await self._asked(reading.address, statements)
        return {sql: reason for sql, reason in found.items() if reason}

    async def _asked(self, address: SourceAddress, statements: tuple[str, ...]) -> dict[str, str]:
        limits = self._access.limits
        with source_errors(self._connection.label, address, limits):
            async with asyncio.timeout(
                limits.connect_seconds
                + limits.statement_seconds
                + _SECONDS_A_STATEMENT * len(statements)
            ):
                session = await open_session(address, limits, "twd-training", own_search_path=True)
                patience = LockPatience(limits.lock_seconds)
                try:
                    return {sql: await _refusal(session, sql, patience) for sql in statements}
                finally:
                    await end_session(session)


async def _refusal(session: asyncpg.Connection, sql: str, patience: LockPatience) -> str:
    try:
        return await _answer(session, sql)
    except asyncpg.LockNotAvailableError:
        # A migration is on its way; if it is a long one, nothing is told against the statement.
        return await _refusal(session, sql, patience) if await patience.pause() else ""


async def _answer(session: asyncpg.Connection, sql: str) -> str:
    try:
        async with session.transaction(readonly=True):
            # The extended protocol takes one statement alone, whatever stands in the text.
            statement = await session.prepare(sql)
            return "it has parameters, such as $1" if statement.get_parameters() else ""
    except _NOT_TOLD:
        return ""
    except asyncpg.PostgresError as error:
        if str(getattr(error, "sqlstate", "")).startswith(_OF_THE_SERVER):
            raise
        return str(error).partition("\n")[0][:_LONGEST_REASON]
