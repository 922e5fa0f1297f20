"""A PostgreSQL server that only a benchmark uses, and its databases."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import psycopg2
from psycopg2.extensions import parse_dsn

from twd_local.postgres import RunningPostgres, ensure_database, remove, start_postgres

_SETTINGS = {
    # Data of one benchmark need not survive a power cut.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    # pg_dump locks every table at once.
    "max_locks_per_transaction": "1024",
}
_STATEMENTS_A_BATCH = 400


@contextmanager
def own_server(installation: Path | None = None) -> Iterator[RunningPostgres]:
    """An empty server on 127.0.0.1 in a temporary folder, stopped and deleted at the end.

    `installation` is the folder of another release than the stack's, with its programs in `bin`.
    """
    with tempfile.TemporaryDirectory(prefix="twd-bench-") as folder:
        # PostgreSQL, if root started it, runs as another user and must come through this folder.
        Path(folder).chmod(0o711)
        data_dir, password = Path(folder) / "postgres", secrets.token_hex(8)
        start = partial(start_postgres, data_dir, password, installation=installation)
        try:
            with start() as server:
                settings = _SETTINGS.items()
                _execute(server.dsn(), (f"alter system set {name} = {to}" for name, to in settings))
            # Locks are laid out when a server starts.
            with start() as server:
                yield server
        finally:
            # Where its user cannot reach the folder, the data stands elsewhere.
            remove(data_dir)


def make_database(server: RunningPostgres, name: str, statements: Iterable[str]) -> str:
    """The address of a new database in which `statements` were run, with fresh statistics."""
    ensure_database(server.dsn(), name)
    dsn = server.dsn(name)
    waiting = iter(statements)
    # Sent together, statements share one transaction and one round trip.
    _execute(dsn, iter(lambda: ";\n".join(islice(waiting, _STATEMENTS_A_BATCH)), ""))
    _execute(dsn, ["analyze"])
    _execute(dsn, (f"vacuum analyze {catalog}" for catalog in _catalogs(dsn)))
    return dsn


def libpq_environment(dsn: str, port: int | None = None) -> dict[str, str]:
    """The environment in which libpq's programs reach `dsn`, at another port if one is given.

    It keeps the password off the command line, where everybody could read it.
    """
    parts = parse_dsn(dsn)
    # What else the user has set for them would change what they do.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return kept | {
        "PGHOST": parts["host"],
        "PGPORT": str(port or parts["port"]),
        "PGUSER": parts["user"],
        "PGPASSWORD": parts["password"],
        "PGDATABASE": parts["dbname"],
    }


def _catalogs(dsn: str) -> list[str]:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select oid::regclass::text from pg_class"
            " where relkind = 'r' and relnamespace = 'pg_catalog'::regnamespace"
        )
        return [name for (name,) in cursor.fetchall()]


def _execute(dsn: str, texts: Iterable[str]) -> None:
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for text in texts:
                cursor.execute(text)
