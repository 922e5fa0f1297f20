"""A PostgreSQL server of a test's own, whose files are touched while it is stopped."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class OwnServer:
    """A server that is started again and again, each time at the same address."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._data = programs, folder / "data"
        self._run("initdb", "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=trust")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its address."""
        settings = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        log = str(self._data.with_name("log"))
        self._run("pg_ctl", "start", "-w", "-l", log, "-o", settings)
        try:
            yield f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        finally:
            self._run("pg_ctl", "stop", "-m", "fast")

    def jump(self, transaction: int) -> None:
        """Make the next transaction this one."""
        self._run("pg_resetwal", "-x", str(transaction))

    def keep(self) -> None:
        """Copy its files, as a snapshot of its disk does."""
        subprocess.run(["cp", "-a", self._data, self._kept], check=True)

    def set_back(self) -> None:
        """Make its files what they were when they were kept."""
        shutil.rmtree(self._data)
        self._kept.rename(self._data)

    @property
    def _kept(self) -> Path:
        return self._data.with_name("kept")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, "-D", self._data, *arguments],
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
            user=None if os.geteuid() else "nobody",
        )


@pytest.fixture
def own_server(services: Any) -> Iterator[OwnServer]:
    """A server of this test's own, stopped and empty."""
    folder = Path(tempfile.mkdtemp(prefix="twd-own-"))
    if not os.geteuid():
        shutil.chown(folder, "nobody")
    yield OwnServer(services.postgres_bin, folder)
    shutil.rmtree(folder)
