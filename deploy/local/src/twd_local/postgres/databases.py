"""What a fresh server needs before anybody can use it: readiness, roles, databases.

Belongs here: statements that may be repeated at every start. Not here: tables.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import psycopg2
from psycopg2 import errors, extensions, sql

from twd_local.postgres.locations import PostgresError

_POLL_SECONDS = 0.1


def wait_ready(dsn: str, deadline_seconds: float) -> None:
    """Return once the database answers a query.

    Raises: PostgresError at once when the password or the database name is refused, or at the
    deadline; the message names host, port and database, never the password.
    """
    deadline = time.monotonic() + deadline_seconds
    while True:
        try:
            with autocommitting(dsn) as cursor:
                cursor.execute("SELECT 1")
            return
        except psycopg2.OperationalError as error:
            reason = str(error).strip()
            if "authentication failed" in reason:
                raise PostgresError(
                    f"PostgreSQL at {_where(dsn)} refuses the password. The data directory was "
                    "made with another one: give that one, or move the directory away."
                ) from None
            if "does not exist" in reason:
                raise PostgresError(f"There is no such database or role: {_where(dsn)}") from None
            if time.monotonic() >= deadline:
                raise PostgresError(
                    f"PostgreSQL at {_where(dsn)} did not answer within {deadline_seconds:g} s. "
                    "Look at its log."
                ) from None
        time.sleep(_POLL_SECONDS)


def ensure_role(admin_dsn: str, name: str, password: str, *, member_of: Sequence[str] = ()) -> None:
    """Create a role that may log in, or give the existing one this password, and its memberships.

    The password leaves this process only as a SCRAM verifier, so no log can show it.
    """
    with autocommitting(admin_dsn) as cursor:
        verifier = extensions.encrypt_password(
            password, name, scope=cursor.connection, algorithm="scram-sha-256"
        )
        role = sql.Identifier(name)
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
        # Looked for before, as the server's log would tell an error at every start.
        if cursor.fetchone() is None:
            with contextlib.suppress(errors.DuplicateObject):
                cursor.execute(sql.SQL("CREATE ROLE {}").format(role))
        cursor.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD %s").format(role), (verifier,))
        for group in member_of:
            cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), role))


def ensure_database(admin_dsn: str, name: str, owner: str | None = None) -> None:
    """Create a database unless it exists, and give it its owner."""
    with autocommitting(admin_dsn) as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if cursor.fetchone() is None:
            # Somebody else may have been faster; the result is the same.
            with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                # template1 cannot be copied while anybody is connected to it.
                cursor.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
                )
        if owner is not None:
            cursor.execute(
                sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                    sql.Identifier(name), sql.Identifier(owner)
                )
            )


@contextlib.contextmanager
def autocommitting(dsn: str) -> Iterator[extensions.cursor]:
    """A cursor of a session of its own, each statement of which is committed at once."""
    connection = psycopg2.connect(dsn, connect_timeout=5)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _where(dsn: str) -> str:
    parts = extensions.parse_dsn(dsn)
    host, port = parts.get("host", "localhost"), parts.get("port", "5432")
    return f"{host}:{port}/{parts.get('dbname', '')} (role {parts.get('user', 'default')})"
