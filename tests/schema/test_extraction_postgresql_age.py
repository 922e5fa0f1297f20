"""Reading a server that has made so many transactions that their ids have come round."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection

# Each is less than what a server may make before it freezes; the ids begin a page of its log.
_JUMPS = (45_776 * 32_768, 91_552 * 32_768)


class _Server:
    """A server whose next transaction can be told."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._data = programs, folder / "data"
        self._run("initdb", "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=trust")

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its address."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        log = str(self._data.with_name("log"))
        self._run("pg_ctl", "start", "-w", "-l", log, "-o", settings)
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            self._run("pg_ctl", "stop", "-m", "fast")

    def jump(self, transaction: int) -> None:
        """Make the next transaction this one."""
        self._run("pg_resetwal", "-x", str(transaction))

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, "-D", self._data, *arguments],
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
            user=None if os.geteuid() else "nobody",
        )


@pytest.fixture
def server(services: Any) -> Iterator[_Server]:
    folder = Path(tempfile.mkdtemp(prefix="twd-age-"))
    if not os.geteuid():
        shutil.chown(folder, "nobody")
    yield _Server(services.postgres_bin, folder)
    shutil.rmtree(folder)


def test_rows_that_were_frozen_two_billion_transactions_ago_were_not_written_meanwhile(
    server: _Server, reader: SchemaReader, execute: Callable[..., None]
) -> None:
    with server.running() as dsn:
        execute(dsn, "create table shops (id int primary key, kind text default 'a')")
        execute(dsn, "update pg_database set datallowconn = true")
    for transaction in _JUMPS:
        server.jump(transaction)
        with server.running() as dsn:
            for name in ("postgres", "template0", "template1"):
                execute(dsn.removesuffix("postgres") + name, "vacuum freeze")
    with server.running() as dsn:
        connection = psycopg2.connect(dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute("select age(xmin) < 0 from pg_class where relname = 'shops'")
            assert cursor.fetchone() == (True,)
        connection.close()
        snapshot = reader.read(Connection("7", "shop", "postgresql", True, dsn))
    assert [table.name for table in snapshot.tables] == ["shops"]
