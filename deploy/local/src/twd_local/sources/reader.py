"""The role that only reads: what registered connections and the application's readers log in as.

Belongs here: the role, its grants, and DSNs for it. Not here: loading databases (`load.py`).
"""

from __future__ import annotations

from contextlib import closing
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg2
from psycopg2 import sql

from twd_local.postgres.databases import autocommitting, ensure_role

# Two grants on one object at once fail with "tuple concurrently updated": they take turns.
_GRANT_LOCK = 7_302_117


def with_database(dsn: str, database: str) -> str:
    """The same server and login, another database. DSNs are URLs, `postgresql://…`."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{quote(database, safe='')}"))


def with_login(dsn: str, role: str, password: str) -> str:
    """The same server and database, another login; special characters are encoded."""
    parts = urlsplit(dsn)
    server = parts.netloc.rpartition("@")[2]
    login = f"{quote(role, safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{server}"))


def ensure_reader_role(
    admin_dsn: str, role: str, password: str, *, statement_timeout_ms: int = 60_000
) -> None:
    """Create the role or bring it to this password: login, nothing more, read-only sessions.

    Raises: psycopg2.Error.
    """
    name = sql.Identifier(role)
    with autocommitting(admin_dsn) as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (_GRANT_LOCK,))
        ensure_role(admin_dsn, role, password)
        for statement in (
            sql.SQL("ALTER ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION").format(name),
            # Much of what is asked in the role's name is wrong, and told to whoever asks.
            sql.SQL("ALTER ROLE {} SET log_min_messages = fatal").format(name),
            sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(name),
            sql.SQL("ALTER ROLE {} SET statement_timeout = {}").format(
                name, sql.Literal(statement_timeout_ms)
            ),
        ):
            cursor.execute(statement)


def grant_reader(database_dsn: str, role: str) -> None:
    """Let the role connect to the DSN's database and read all tables there, later ones too.

    Grants cover every schema but the system's; "later" means made by the DSN's own login.
    Raises: psycopg2.Error.
    """
    reader = sql.Identifier(role)
    with (
        closing(psycopg2.connect(database_dsn, connect_timeout=5)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_GRANT_LOCK,))
        database = sql.Identifier(connection.info.dbname)
        cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, reader))
        cursor.execute(
            "SELECT nspname FROM pg_namespace "
            "WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'"
        )
        for (schema,) in cursor.fetchall():
            where = sql.Identifier(schema)
            cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(where, reader))
            cursor.execute(
                sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(where, reader)
            )
            cursor.execute(
                sql.SQL(
                    "ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT SELECT ON TABLES TO {}"
                ).format(where, reader)
            )
