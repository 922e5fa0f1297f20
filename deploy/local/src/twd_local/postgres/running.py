"""A server as a child of this process, for tests and for one-off work.

Belongs here: start, address, stop. Not here: the foreground command of a process manager
(`__main__.py`).
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from twd_local.listening import free_port
from twd_local.postgres.cluster import prepare, server_command, server_environment
from twd_local.postgres.databases import wait_ready
from twd_local.postgres.locations import Locations, PostgresError

_READY_WITHIN_SECONDS = 30.0
_STOPPED_WITHIN_SECONDS = 15.0
_LOG_TAIL_CHARACTERS = 2000


def dsn_of(port: int, password: str, database: str = "postgres", role: str = "postgres") -> str:
    """Return the address of a database on the local server, as a `postgresql://` URL."""
    return (
        f"postgresql://{quote(role, safe='')}:{quote(password, safe='')}"
        f"@127.0.0.1:{port}/{quote(database, safe='')}"
    )


class RunningPostgres:
    """A started server; a context manager that stops it."""

    def __init__(
        self, process: subprocess.Popen[bytes], locations: Locations, port: int, password: str
    ) -> None:
        self.process = process
        self.locations = locations
        self.port = port
        self._password = password

    def dsn(self, database: str = "postgres") -> str:
        """Return the superuser's address of a database."""
        return dsn_of(self.port, self._password, database)

    def stop(self) -> None:
        """End all connections and shut down cleanly. Safe to call twice."""
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self.process.poll() is not None:
                return
            self.process.send_signal(number)
            try:
                self.process.wait(_STOPPED_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                continue

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_postgres(
    data_dir: Path, password: str, port: int | None = None, installation: Path | None = None
) -> RunningPostgres:
    """Start a server on a data directory (made when missing) and wait until it answers.

    port: None or 0 picks a free one. installation: a folder whose `bin` is run instead of ours.
    The log goes to `<data_dir>.log` next to the directory.
    Raises: PostgresError with the end of the log.
    """
    locations = prepare(data_dir, password, installation)
    port = port or free_port()
    log = data_dir.absolute().with_name(f"{data_dir.name}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    user = locations.user
    with log.open("ab") as output:
        process = subprocess.Popen(
            server_command(locations, port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=server_environment(),
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [user.gid],
        )
    running = RunningPostgres(process, locations, port, password)
    try:
        wait_ready(running.dsn(), _READY_WITHIN_SECONDS)
    except PostgresError as error:
        running.stop()
        tail = log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]
        raise PostgresError(f"{error}\n{tail}") from None
    except BaseException:
        running.stop()
        raise
    return running
