"""PostgreSQL's own tools and sessions for a backup: which binary, which address, whose errors.

Passwords go to the tools through the environment, or a file of their user's own: a command line is
everybody's to read.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import sqlalchemy as sa
from psycopg2 import extensions

from twd_local.sources.load import psql_path
from twd_local.stack.errors import StackError
from twd_local.stack.private_files import write_private
from twd_shared.clients.dsn import libpq_address, place_of

_LONGEST_QUOTE = 2000
_SERVICE = "twd-backup"

# A role or a database may have limits, which reading all of a large table, and waiting for pg_dump,
# go beyond. The last of these is there since 17.
_WITHOUT_LIMITS = """
select set_config(name, '0', false) from pg_settings where name in
  ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')
"""
_KNOWS_TRANSACTION_TIMEOUT = 17
_SETTING = "Command was: SET transaction_timeout = 0;"
_ONE_ERROR = re.compile(r"errors ignored on restore: 1$", re.MULTILINE)


@contextmanager
def session(url: sa.URL, *, autocommit: bool = True) -> Iterator[Any]:
    """A cursor; raises StackError naming the database when the server refuses."""
    try:
        with closing(psycopg2.connect(libpq_address(url), connect_timeout=10)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(_WITHOUT_LIMITS)
            connection.autocommit = autocommit
            with connection.cursor() as cursor:
                yield cursor
            if not autocommit:
                connection.commit()
    except psycopg2.Error as error:
        said = error.diag.message_primary or "it cannot be reached, or refuses the password"
        raise StackError(
            f"PostgreSQL at {place_of(url)} (role {url.username}) did not do what was asked: "
            f"{said}. Check that it runs, its address, and what the role may do."
        ) from None


def run_tool(url: sa.URL, tool: str, at_least: int, *arguments: str) -> None:
    """Run pg_dump or pg_restore on the database at `url`; raises StackError with its words."""
    done = _ran(url, tool, at_least, arguments)
    if done.returncode != 0:
        raise _failed(url, tool, done)


def restore_dump(url: sa.URL, server: int, dump: Path, at_least: int, *arguments: str) -> None:
    """Fill the empty database at `url`, on a `server` of that major version, from a dump.

    Raises: StackError with pg_restore's words when anything of the dump could not be restored.
    """
    arguments = ("--no-owner", *arguments, str(dump))
    if server >= _KNOWS_TRANSACTION_TIMEOUT:
        run_tool(url, "pg_restore", at_least, "--exit-on-error", *arguments)
        return
    # Since 17 pg_restore sets this first, whatever the server. That one before 17 refuses it, and
    # nothing else, is no harm.
    done = _ran(url, "pg_restore", at_least, arguments)
    if done.returncode != 0 and not (_SETTING in done.stderr and _ONE_ERROR.search(done.stderr)):
        raise _failed(url, "pg_restore", done)


def _ran(
    url: sa.URL, tool: str, at_least: int, arguments: tuple[str, ...]
) -> subprocess.CompletedProcess[str]:
    with unseen_login(url) as (address, environment):
        # Messages of a lasting form, whatever the user's language.
        environment["LC_MESSAGES"] = "C"
        return subprocess.run(
            [tool_path(tool, at_least), "--no-password", "--dbname", address, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            umask=0o077,
        )


@contextmanager
def unseen_login(url: sa.URL) -> Iterator[tuple[str, dict[str, str]]]:
    """The address without its passwords, and an environment in which PostgreSQL's tools find them.

    Of the user's own environment nothing that speaks to these tools is in it.
    """
    parts = extensions.parse_dsn(libpq_address(url))
    password, key_password = parts.pop("password", None), parts.pop("sslpassword", None)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    if password is not None:
        environment["PGPASSWORD"] = password
    with tempfile.TemporaryDirectory(prefix="twd-backup-") as folder:
        if key_password is not None:
            environment |= _kept_in(Path(folder), url, parts, key_password)
        yield extensions.make_dsn(**parts), environment


def _kept_in(
    folder: Path, url: sa.URL, parts: Mapping[str, Any], key_password: str
) -> dict[str, str]:
    """Variables that name a file with the password of the client's key, which no variable holds.

    https://www.postgresql.org/docs/current/libpq-pgservice.html
    """
    if "service" in parts or not key_password.isprintable() or key_password.strip() != key_password:
        raise StackError(
            f"The address of {place_of(url)} has an sslpassword that cannot be passed on unseen: "
            "beside a service, or with blanks at an end or a line break in it. Let it name a key "
            "without a password, or with another one."
        )
    path = folder / "service.conf"
    write_private(path, f"[{_SERVICE}]\nsslpassword={key_password}\n")
    return {"PGSERVICEFILE": str(path), "PGSERVICE": _SERVICE}


def _failed(url: sa.URL, tool: str, done: subprocess.CompletedProcess[str]) -> StackError:
    return StackError(
        f"{tool} on {place_of(url)} failed. It said:\n{done.stderr.strip()[-_LONGEST_QUOTE:]}"
    )


def tool_path(tool: str, at_least: int) -> str:
    """A pg_dump or pg_restore of that major version or newer: ours, or one on PATH."""
    bundled = str(Path(psql_path()).with_name(tool))
    found = {path: tool_major(path) for path in (bundled, shutil.which(tool)) if path}
    for path, major in found.items():
        if major >= at_least:
            return path
    versions = ", ".join(f"{path} is of {major}" for path, major in found.items() if major)
    raise StackError(
        f"{tool} of PostgreSQL {at_least} or newer is needed ({versions or 'none was found'}). "
        f"Install the client programs of PostgreSQL {at_least}, so that `{tool} --version` names "
        "it, and try again."
    )


def tool_major(path: str) -> int:
    """The major version of a PostgreSQL program; 0 if it does not run here."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    found = re.search(r" (\d+)", done.stdout)
    return int(found[1]) if found else 0
