"""Whether DDL can be replayed: by a server that reads it, or one that runs it and takes it back.

Nothing stays behind. To be parsed, a statement is only prepared: PostgreSQL parses a statement of
its data definition when it is prepared and does not run it, so any server of ours will do.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing

import asyncpg
import sqlalchemy as sa

from twd_schema.history.recording import Recording
from twd_shared.clients.dsn import asyncpg_address, place_of, postgresql_url
from twd_shared.errors import MetadataUnavailable
from twd_shared.schema_model.ddl import schema_script, table_statements
from twd_shared.schema_model.ddl.types import object_statements
from twd_shared.schema_model.fingerprint import key_of
from twd_shared.schema_model.models import SchemaObject, Table
from twd_shared.settings import METADATA_DSN, SCRATCH_DSN

CHECKED_DIALECTS = ("postgresql", "sqlite")
"""The dialects whose DDL is parsed or replayed."""

_TIMEOUT_SECONDS = 60
_LONGEST_REPLAY_SECONDS = 600
_MOST_ERRORS = 20
_FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

# Whether the role may leave its database: read and write files, or run programs.
_IS_POWERFUL = """
select bool_or(pg_catalog.pg_has_role(current_user, r.oid, 'member')) from pg_catalog.pg_roles r
where r.rolname in
    ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
"""


def ddl_problems(recording: Recording, parser_dsn: str, scratch_dsn: str) -> list[str]:
    """Why the DDL of a recorded snapshot cannot be replayed: a sentence each; empty = it can.

    What changed is parsed by the PostgreSQL at `parser_dsn`; if something did and `scratch_dsn` is
    not empty, the whole schema is replayed there. Of other dialects only SQLite's is checked.
    """
    snapshot, saved = recording.snapshot, recording.saved
    changed = {*saved.added, *saved.modified}
    if not changed and not saved.removed:
        return []
    if snapshot.dialect == "sqlite":
        error = sqlite_replay_error(schema_script(snapshot))
        return [error] if error else []
    if snapshot.dialect != "postgresql":
        return []
    objects = (item for item in snapshot.objects if key_of(item) in changed)
    problems = parse_errors(parser_dsn, (text for item in objects for text in _statements(item)))
    if scratch_dsn and not problems:
        error = replay_error(scratch_dsn, schema_script(snapshot))
        problems += [error] if error else []
    return problems


def _statements(item: SchemaObject) -> Iterable[str]:
    return table_statements(item) if isinstance(item, Table) else object_statements(item)


def parse_errors(dsn: str, statements: Iterable[str]) -> list[str]:
    """What PostgreSQL at `dsn` cannot parse: a sentence each, with the start of the statement.

    Each string must hold exactly one statement. Raises MetadataUnavailable if it is not reached.
    """
    return asyncio.run(_parse_errors(dsn, statements))


def replay_error(dsn: str, script: Sequence[str]) -> str | None:
    """Why the script does not run in the empty PostgreSQL database at `dsn`; None if it does.

    It runs in one transaction that is rolled back. A database that is not reached, is not empty or
    is opened by a superuser is a reason too: a schema holds functions, which whoever made them can
    have run by an index, with the rights of this role. So is one that takes too long, of which the
    server's session is ended.
    """
    return asyncio.run(_replay_error(dsn, script))


def sqlite_replay_error(script: Sequence[str]) -> str | None:
    """Why the script does not run in an empty SQLite database in memory; None if it does."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in script:
            try:
                connection.execute(statement)
            except (sqlite3.Error, sqlite3.Warning) as error:
                return _sentence(statement, error)
    return None


async def _parse_errors(dsn: str, statements: Iterable[str]) -> list[str]:
    errors: list[str] = []
    url = postgresql_url(dsn, METADATA_DSN.name)
    try:
        connection = await asyncpg.connect(
            asyncpg_address(url, METADATA_DSN.name),
            timeout=_TIMEOUT_SECONDS,
            command_timeout=_TIMEOUT_SECONDS,
            # A pooler in front of the server may give each statement another session.
            statement_cache_size=0,
        )
        try:
            for statement in statements:
                # A materialized view's query would be looked up in the catalogs, a view's is not.
                text = statement.replace("CREATE MATERIALIZED VIEW", "CREATE VIEW", 1)
                try:
                    await connection.prepare(text.removesuffix("\nWITH NO DATA"))
                except asyncpg.PostgresConnectionError:
                    raise
                except asyncpg.PostgresError as error:
                    errors.append(_sentence(statement, error))
                    if len(errors) == _MOST_ERRORS:
                        break
        finally:
            connection.terminate()
    except _FAILURES as error:
        raise MetadataUnavailable(
            f"The metadata database at {place_of(url)}, which parses DDL, is not available "
            f"({type(error).__name__}). Check that PostgreSQL runs and "
            f"{METADATA_DSN.name} is right."
        ) from None
    return errors


async def _replay_error(dsn: str, script: Sequence[str]) -> str | None:
    url = postgresql_url(dsn, SCRATCH_DSN.name)
    where = f"The scratch database at {place_of(url)}"
    try:
        connection = await _scratch_session(url)
        try:
            if refusal := await _refusal(connection, where):
                return refusal
            error, is_over = await _first_error(connection, script)
            if not is_over:
                await _end(connection, url)
            return error
        finally:
            # Cut off, the server takes back what was not committed.
            connection.terminate()
    except _FAILURES as error:
        return (
            f"{where} is not available ({type(error).__name__}). "
            f"Start it, correct {SCRATCH_DSN.name}, or leave it empty: DDL is then only parsed."
        )


async def _scratch_session(url: sa.URL) -> asyncpg.Connection:
    return await asyncpg.connect(
        asyncpg_address(url, SCRATCH_DSN.name),
        timeout=_TIMEOUT_SECONDS,
        command_timeout=_TIMEOUT_SECONDS,
        statement_cache_size=0,
    )


async def _end(connection: asyncpg.Connection, url: sa.URL) -> None:
    """End the server's session: a function can outlive a client, its limits and a cancellation."""
    other = await _scratch_session(url)
    try:
        await other.execute(
            f"select pg_catalog.pg_terminate_backend({connection.get_server_pid()})"
        )
    finally:
        other.terminate()


async def _refusal(connection: asyncpg.Connection, where: str) -> str | None:
    if await connection.fetchval(_IS_POWERFUL):
        return (
            f"{where} is opened by a superuser, or by a role that may use the server's files or "
            "programs. Functions of a source database would run with its rights: let "
            f"{SCRATCH_DSN.name} name a plain role that owns the database."
        )
    occupied = await connection.fetchval(
        "select count(*) from pg_catalog.pg_class c"
        " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname <> 'information_schema' and n.nspname !~ '^pg_'"
    )
    if occupied:
        return (
            f"{where} holds {occupied} relations. DDL is replayed in an empty one: empty it, or "
            f"let {SCRATCH_DSN.name} name another."
        )
    return None


async def _first_error(
    connection: asyncpg.Connection, script: Sequence[str]
) -> tuple[str | None, bool]:
    """The first error of the script, and whether the server has nothing left to do."""
    until = time.monotonic() + _LONGEST_REPLAY_SECONDS
    await connection.execute(
        f"begin; set local statement_timeout = '{_TIMEOUT_SECONDS}s';"
        f" set local idle_in_transaction_session_timeout = '{_TIMEOUT_SECONDS}s'"
    )
    for statement in script:
        # A function may have lifted the server's own limit, which would else come first.
        seconds = min(_TIMEOUT_SECONDS + 1, until - time.monotonic())
        try:
            # Fetched, as execute would also take several statements, and a commit among them.
            await connection.fetch(statement, timeout=seconds)
        except asyncpg.PostgresConnectionError:
            raise
        except asyncpg.PostgresError as error:
            return _sentence(statement, error), True
        except TimeoutError:
            limits = f"{_TIMEOUT_SECONDS} s a statement, {_LONGEST_REPLAY_SECONDS} s in all"
            return _sentence(statement, f"replaying takes too long ({limits})"), False
    return None, True


def _sentence(statement: str, error: Exception | str) -> str:
    beginning = " ".join(statement.split())
    if len(beginning) > 120:
        beginning = beginning[:120] + " …"
    return f"{' '.join(str(error).split())}: {beginning}"
