"""The application's own database, only read: messages, conversations, users' training data.

What belongs here is the connection: one read-only transaction a call, limited in time, with errors
that name the database; and how a text is read, of whatever type its column is. Not here: queries,
which stand in the domain folder that needs them, and the list of connections (`catalog.py`).
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from twd_shared.clients.dsn import asyncpg_address, place_of, postgresql_url
from twd_shared.errors import ApplicationRefused, ApplicationUnavailable, ConfigurationError
from twd_shared.lock_patience import LockPatience
from twd_shared.settings import APPLICATION_DSN

_CONNECT_SECONDS = 10
_STATEMENT_SECONDS = 300
_LOCK_SECONDS = 10

LOCKED = "55P03"
"""SQLSTATE of a statement that had to wait too long for a lock."""

# What PostgreSQL says when only a person can change the outcome.
_REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,  # wrong password is one of these
    asyncpg.InvalidCatalogNameError,
    asyncpg.SyntaxOrAccessError,  # missing table or column, no permission
    asyncpg.ReadOnlySQLTransactionError,
)

# A column is of a type that the query, or its parameter, does not go with.
_ODD_TYPES = (
    asyncpg.UndefinedFunctionError,  # of an operator too
    asyncpg.DatatypeMismatchError,
    asyncpg.CannotCoerceError,
    asyncpg.DataError,
)
ODD_TYPES = ("42883", "42804", "42846", "22")
"""The same as SQLSTATEs, or how these begin, for a driver that a location opens by itself."""

_ABOUT_TABLES = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.InsufficientPrivilegeError,
)

_COLUMNS = """
select attname::text, format_type(base.id, base.modifier) as type,
       has_column_privilege(attrelid, attnum, 'select') as is_readable
from pg_attribute, lateral (
    with recursive below as (
        select 0 as depth, atttypid as id, atttypmod as modifier
        union all
        select depth + 1, typbasetype, typtypmod from below join pg_type on pg_type.oid = below.id
        where typtype = 'd')
    select id, modifier from below order by depth desc limit 1) base
where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
order by attnum
"""


# What JSON may spell and no text holds: a NUL, and half of a surrogate pair.
_PAIR, _NO_TEXT = r"\\ud[89ab]..\\ud[c-f]..", r"\\u(0000|d[89a-f])"


def text_of(column: str, kind: str) -> str:
    """SQL of what a column of that type says: of a string in JSON its text, without the quotes."""
    written = f"{column}::text"
    if not kind.startswith("json"):
        return written
    is_no_text = f"regexp_replace({written}, '{_PAIR}', '', 'gi') ~* '{_NO_TEXT}'"
    return f"(case when {is_no_text} then {written} else {column} #>> '{{}}' end)"


def now_like(kind: str) -> str:
    """SQL of this moment as a column of that type holds it: without a zone a time is in UTC."""
    return "now()" if "with time zone" in kind else "now() at time zone 'UTC'"


class ApplicationDatabase:
    """Reads of the application's PostgreSQL; a call opens and closes its own connection."""

    def __init__(self, dsn: str, statement_seconds: int = _STATEMENT_SECONDS) -> None:
        """`dsn` is a postgresql:// address; raises ConfigurationError if it cannot be used."""
        url = postgresql_url(dsn, APPLICATION_DSN.name)
        self._address = asyncpg_address(url, APPLICATION_DSN.name)
        self.dsn = url.render_as_string(hide_password=False)
        """Its address with the password, for a driver that a location opens by itself."""
        self.statement_ms = statement_seconds * 1000
        self.limits = (
            f"set local statement_timeout = {self.statement_ms}",
            # Of two that wait for each other the server ends the one that has waited for a second
            # first: not a migration of the application.
            "set local lock_timeout = 500",
        )
        """Statements that a transaction begins with."""
        self.place = place_of(url)
        """Where the database is, for messages: host:port/name."""

    def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of `query` ($1, $2, … are `arguments`), read in one read-only transaction.

        To be called where no event loop runs.
        Raises: ApplicationUnavailable (down, too slow), ApplicationRefused (password, permission,
        missing table), ConfigurationError. None of them repeats the connection string.
        """
        return asyncio.run(self._fetch(query, arguments))

    def columns(self, table: str) -> dict[str, str]:
        """Column name → type of a table as the search path finds it; empty if there is none.

        Of a domain the type below it. A column that is kept from the role is to it as if it were
        missing. Raises: as `fetch`, and ApplicationRefused where all of them are kept from it.
        """
        return self._columns(table)[0]

    def columns_with(self, table: str, *names: str) -> dict[str, str]:
        """As `columns`.

        Raises: ApplicationRefused where the table or one of `names` is missing, or kept from the
        role.
        """
        columns, kept = self._columns(table)
        if not_allowed := [name for name in names if name in kept]:
            raise self._kept(table, not_allowed)
        missing = [name for name in names if name not in columns]
        if missing:
            what = f"no column {', '.join(missing)} in table" if columns else "no table"
            raise ApplicationRefused(
                f"The application database {self.place} has {what} {table!r}. "
                f"Check that {APPLICATION_DSN.name} names the application's database and that "
                "the application's own migrations have run."
            )
        return columns

    def _columns(self, table: str) -> tuple[dict[str, str], list[str]]:
        """The columns that the role may read, with their types, and those that it may not."""
        rows = self.fetch(_COLUMNS, table)
        columns = {row["attname"]: row["type"] for row in rows if row["is_readable"]}
        kept = [row["attname"] for row in rows if not row["is_readable"]]
        if kept and not columns:
            raise self._kept(table, kept)
        return columns, kept

    def _kept(self, table: str, columns: list[str]) -> ApplicationRefused:
        return self.refused(f"the role may not read {', '.join(columns)} of table {table!r}")

    async def _fetch(self, query: str, arguments: tuple[Any, ...]) -> list[asyncpg.Record]:
        try:
            connection = await self._connect()
            try:
                return await self._fetch_patiently(connection, query, arguments)
            finally:
                await connection.close(timeout=_CONNECT_SECONDS)
        except _ODD_TYPES as error:
            raise self.odd_type(type(error).__name__) from None
        except _REFUSALS as error:
            raise self.refused(_reason(error)) from None
        except asyncpg.QueryCanceledError:
            raise self.too_slow() from None
        except asyncpg.LockNotAvailableError:
            raise self.locked() from None
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise self.unavailable(type(error).__name__) from None

    async def _fetch_patiently(
        self, connection: asyncpg.Connection, query: str, arguments: tuple[Any, ...]
    ) -> list[asyncpg.Record]:
        patience = LockPatience(_LOCK_SECONDS)
        while True:
            try:
                async with connection.transaction(readonly=True):
                    await connection.execute(";".join(self.limits))
                    return await connection.fetch(query, *arguments)
            except asyncpg.LockNotAvailableError:
                if not await patience.pause():
                    raise

    def refused(self, reason: str) -> ApplicationRefused:
        """What to raise when it answers that it will not; `reason` holds no secret."""
        return ApplicationRefused(
            f"The application database {self.place} refused: {reason}. Check the role and database "
            f"in {APPLICATION_DSN.name}, and that the role may read the application's tables."
        )

    def odd_type(self, reason: str) -> ApplicationRefused:
        """What to raise when a column is of a type that cannot be read; `reason` says which."""
        return ApplicationRefused(
            f"The application database {self.place} has a column whose type or values cannot be "
            f"read: {reason}. docs/architecture.md tells the types, under What the application "
            "offers. Change the column, or let the role find a view of the table that has them."
        )

    def too_slow(self) -> ApplicationUnavailable:
        """What to raise when a statement took longer than it may."""
        return ApplicationUnavailable(
            f"The application database {self.place} did not answer within "
            f"{self.statement_ms // 1000} s. Look at its load and at the indexes of the "
            "tables that are read (messages.created_at, messages.conversation_id)."
        )

    def locked(self) -> ApplicationUnavailable:
        """What to raise when a table that is read stays locked."""
        return ApplicationUnavailable(
            f"The application database {self.place} has a table locked that is read (a migration?)."
            " It is read again later."
        )

    def broke_off(self) -> ApplicationUnavailable:
        """What to raise when it ended a reading with an error, and is there all the same."""
        return ApplicationUnavailable(
            f"The application database {self.place} ended a reading with an error, which its log "
            "tells: a row holds what cannot be sent (text that is not in its encoding, a value "
            "that a view cannot convert), or it is a standby that could not wait."
        )

    def unavailable(self, kind: str) -> ApplicationUnavailable:
        """What to raise when it cannot be reached; `kind` is the driver's name for why."""
        return ApplicationUnavailable(
            f"The application database {self.place} is not available "
            f"({kind}). Check that PostgreSQL runs there and that "
            f"{APPLICATION_DSN.name} is right."
        )

    async def _connect(self) -> asyncpg.Connection:
        try:
            return await asyncpg.connect(
                self._address,
                timeout=_CONNECT_SECONDS,
                # A pooler in front of the server may give each transaction another session.
                statement_cache_size=0,
                server_settings={"application_name": "twd"},
            )
        except ValueError:
            # Parameters of the address that the driver does not understand.
            raise ConfigurationError(
                f"{APPLICATION_DSN.name} has a parameter that cannot be used. Keep only the form "
                "postgresql://user:password@host:port/database."
            ) from None


def _reason(error: asyncpg.PostgresError) -> str:
    """Kind of refusal; of the server's text only that about tables, which holds no secret."""
    if isinstance(error, _ABOUT_TABLES):
        return str(error)
    return type(error).__name__
