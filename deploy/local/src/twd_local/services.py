"""The servers that tests need, in a temporary folder: `python -m twd_local.services`.

Prints one JSON object with their addresses, then obeys one command a line on standard input and
answers each with one JSON line: `database NAME` creates an empty database, `application NAME` one
with the application's tables, `source NAME DATABASE` one loaded with a sample source. Ends, and
stops everything, when standard input is closed: tests that die leave nothing behind.
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from twd_local.application.tables import create_tables, session
from twd_local.listening import free_port
from twd_local.postgres import RunningPostgres, ensure_database, start_postgres
from twd_local.postgres.databases import autocommitting
from twd_local.sources import ensure_reader_role, load_source, with_database, with_login
from twd_local.sources.load import psql_path

_READY_WITHIN_SECONDS = 60.0
_READER = "source_reader"


def main() -> int:
    """Start the servers, serve commands until standard input ends, stop the servers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twd-services-")))
        # PostgreSQL, if root started it, runs as another user and must come through this folder.
        folder.chmod(0o711)
        postgres = stack.enter_context(start_postgres(folder / "postgres", secrets.token_hex(8)))
        _work_for_tests(postgres.dsn())
        reader_password = secrets.token_hex(8)
        ensure_reader_role(postgres.dsn(), _READER, reader_password)
        qdrant_faults, ollama_faults = folder / "qdrant-faults.json", folder / "ollama-faults.json"
        qdrant = stack.enter_context(
            _served("qdrant_front", "/readyz", qdrant_faults, "--storage", str(folder / "qdrant"))
        )
        ollama = stack.enter_context(_served("ollama_server", "/api/version", ollama_faults))
        commands = {
            "database": lambda name: _database(postgres, name),
            "application": lambda name: _application(postgres, name),
            "source": lambda name, database: _source(postgres, name, database, reader_password),
        }
        _say(
            {
                "postgres": postgres.dsn(),
                "postgres_bin": str(Path(psql_path()).parent),
                "reader": {"user": _READER, "password": reader_password},
                "qdrant": qdrant,
                "qdrant_faults": str(qdrant_faults),
                "ollama": ollama,
                "ollama_faults": str(ollama_faults),
                "embed_model": "twd-lexical",
            }
        )
        _obey(commands)
    return 0


def _obey(commands: dict[str, Callable[..., str]]) -> None:
    for line in sys.stdin:
        verb, *arguments = line.split()
        try:
            _say({"dsn": commands[verb](*arguments)})
        except Exception as error:
            _say({"error": f"{type(error).__name__}: {error}"})


def _work_for_tests(dsn: str) -> None:
    # Tests make hundreds of databases and throw them away: they need not survive a power cut, and
    # a worker a database that looks after it, again and again, takes more than the tests do.
    with autocommitting(dsn) as cursor:
        for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
            cursor.execute(f"alter system set {setting} = off")
        cursor.execute("select pg_reload_conf()")


def _database(postgres: RunningPostgres, name: str) -> str:
    ensure_database(postgres.dsn(), name)
    return postgres.dsn(name)


def _application(postgres: RunningPostgres, name: str) -> str:
    dsn = _database(postgres, name)
    with session(dsn) as connection:
        create_tables(connection)
    return dsn


def _source(postgres: RunningPostgres, name: str, database: str, password: str) -> str:
    load_source(postgres.dsn(), name, _READER, database=database)
    return with_login(with_database(postgres.dsn(), database), _READER, password)


@contextmanager
def _served(module: str, ready_path: str, faults: Path, *arguments: str) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", f"twd_local.{module}", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--faults-file", str(faults), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )
    try:
        _await(f"http://127.0.0.1:{port}{ready_path}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended with {process.returncode} before it served.")
        try:
            httpx.get(url, timeout=2).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise RuntimeError(f"{url} did not answer within {_READY_WITHIN_SECONDS:g} s.")


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    sys.exit(main())
