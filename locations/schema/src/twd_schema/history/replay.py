"""Whether DDL can be replayed: by a server that reads it, or one that runs it and takes it back.

Nothing stays behind. To be parsed, a statement is only prepared: PostgreSQL parses a statement of
its data definition when it is prepared and does not run it, so any server of ours will do.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing

import asyncpg

from twd_schema.history.recording import Recording
from twd_shared.clients.dsn import place_of, postgresql_url
from twd_shared.errors import MetadataUnavailable
from twd_shared.schema_model.ddl import schema_script, table_statements
from twd_shared.settings import METADATA_DSN, SCRATCH_DSN

_TIMEOUT_SECONDS = 60
_MOST_ERRORS = 20


def ddl_problems(recording: Recording, parser_dsn: str, scratch_dsn: str) -> list[str]:
    """Why the DDL of a recorded snapshot cannot be replayed: a sentence each; empty = it can.

    What changed is parsed by the PostgreSQL at `parser_dsn`; if something did and `scratch_dsn` is
    not empty, the whole schema is replayed there. MySQL's DDL is not checked.
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
    tables = (item for item in snapshot.tables if ("table", item.schema, item.name) in changed)
    problems = parse_errors(
        parser_dsn, (text for item in tables for text in table_statements(item))
    )
    if scratch_dsn and not problems:
        error = replay_error(scratch_dsn, schema_script(snapshot))
        problems += [error] if error else []
    return problems


def parse_errors(dsn: str, statements: Iterable[str]) -> list[str]:
    """What PostgreSQL at `dsn` cannot parse: a sentence each, with the start of the statement.

    Each string must hold exactly one statement. Raises MetadataUnavailable if it is not reached.
    """
    return asyncio.run(_parse_errors(dsn, statements))


def replay_error(dsn: str, script: Sequence[str]) -> str | None:
    """Why the script does not run in the empty PostgreSQL database at `dsn`; None if it does.

    It runs in one transaction that is rolled back. A database that is not reached, or not empty,
    is a reason too.
    """
    return asyncio.run(_replay_error(dsn, script))


def sqlite_replay_error(script: Sequence[str]) -> str | None:
    """Why the script does not run in an empty SQLite database in memory; None if it does."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in script:
            try:
                connection.execute(statement)
            except sqlite3.Error as error:
                return _sentence(statement, str(error))
    return None


async def _parse_errors(dsn: str, statements: Iterable[str]) -> list[str]:
    errors: list[str] = []
    url = postgresql_url(dsn, METADATA_DSN.name)
    try:
        connection = await asyncpg.connect(
            url.render_as_string(hide_password=False), timeout=_TIMEOUT_SECONDS
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise MetadataUnavailable(
            f"The metadata database at {place_of(url)}, which parses DDL, is not available "
            f"({type(error).__name__}). Check that PostgreSQL runs and TWD_METADATA_DSN is right."
        ) from None
    try:
        for statement in statements:
            try:
                # A materialized view's query would be looked up in the catalogs, a view's is not.
                text = statement.replace("CREATE MATERIALIZED VIEW", "CREATE VIEW", 1)
                await connection.prepare(text.removesuffix("\nWITH NO DATA"))
            except asyncpg.PostgresError as error:
                errors.append(_sentence(statement, str(error)))
                if len(errors) == _MOST_ERRORS:
                    break
    finally:
        connection.terminate()
    return errors


async def _replay_error(dsn: str, script: Sequence[str]) -> str | None:
    url = postgresql_url(dsn, SCRATCH_DSN.name)
    try:
        connection = await asyncpg.connect(
            url.render_as_string(hide_password=False),
            timeout=_TIMEOUT_SECONDS,
            server_settings={"statement_timeout": str(_TIMEOUT_SECONDS * 1000)},
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return (
            f"The scratch database at {place_of(url)} is not available ({type(error).__name__}). "
            f"Start it, correct {SCRATCH_DSN.name}, or leave it empty: DDL is then only parsed."
        )
    try:
        occupied = await connection.fetchval(
            "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname <> 'information_schema' and n.nspname !~ '^pg_'"
        )
        if occupied:
            return (
                f"The scratch database at {place_of(url)} holds {occupied} relations. DDL is "
                f"replayed in an empty one: empty it, or let {SCRATCH_DSN.name} name another."
            )
        transaction = connection.transaction()
        await transaction.start()
        for statement in script:
            try:
                await connection.execute(statement)
            except asyncpg.PostgresError as error:
                return _sentence(statement, str(error))
        return None
    finally:
        # Cut off, the server takes back what was not committed.
        connection.terminate()


def _sentence(statement: str, error: str) -> str:
    beginning = " ".join(statement.split())
    if len(beginning) > 120:
        beginning = beginning[:120] + " …"
    return f"{error}: {beginning}"
