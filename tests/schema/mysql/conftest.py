"""A private MySQL or MariaDB server for these tests, which ends with them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pymysql
import pytest
from pymysql.constants import CLIENT

from twd_schema.extraction.reading import SchemaReader
from twd_shared.schema_model.models import Snapshot
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

# Where distributions put servers is not on everybody's PATH.
_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
_START_SECONDS = 60


class Server:
    """The running server; its administrator is root without a password."""

    def __init__(self, port: int, is_mariadb: bool) -> None:
        self.port = port
        self.is_mariadb = is_mariadb

    def execute(self, *statements: str, database: str | None = None) -> None:
        """Run statements or whole scripts as root."""
        with closing(self.session(database=database)) as session:
            for statement in statements:
                with session.cursor() as cursor:
                    cursor.execute(statement)
                    while cursor.nextset():
                        pass
            session.commit()

    def session(self, **options: Any) -> pymysql.Connection[Any]:
        """A session of root's, or of another user's."""
        return pymysql.connect(
            **{"host": "127.0.0.1", "port": self.port, "user": "root"} | options,
            client_flag=CLIENT.MULTI_STATEMENTS,
        )

    def database(self, *statements: str) -> str:
        """A new database's name, after these statements in it."""
        name = f"db_{uuid.uuid4().hex[:12]}"
        self.execute(f"create database {name}")
        self.execute(*statements, database=name)
        return name

    def role(self, *grants: str) -> str:
        """A new user's name, which is the password as well, with these grants: `select on x.*`."""
        name = f"u_{uuid.uuid4().hex[:12]}"
        self.execute(
            f"create user {name}@'127.0.0.1' identified by '{name}'",
            f"create user {name}@'localhost' identified by '{name}'",
            *(f"grant {grant} to {name}@'127.0.0.1', {name}@'localhost'" for grant in grants),
        )
        return name

    def default_role(self, role: str, user: str) -> str:
        """The statement that makes `role` the user's at each login."""
        return f"set default role {role} {'for' if self.is_mariadb else 'to'} {user}"

    def dsn(self, database: str, role: str = "root") -> str:
        """The address of a database for a role that `role` made, or for root."""
        login = "root" if role == "root" else f"{role}:{role}"
        return f"mysql://{login}@127.0.0.1:{self.port}/{database}"


def _found(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name, path=_PLACES))), None)


def _is_mariadb(binary: str) -> bool:
    return "mariadb" in Path(binary).resolve().name


def _initialise(binary: str, common: list[str]) -> None:
    installer = _found("mariadb-install-db")
    if _is_mariadb(binary) and installer:
        command = [
            installer,
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *common,
        ]
    else:
        command = [binary, "--no-defaults", "--initialize-insecure", *common]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def _await(process: subprocess.Popen[bytes], server: Server, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            server.session().close()
            return
        except pymysql.OperationalError:
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < end, log.read_text(errors="replace")
            time.sleep(0.05)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server, started once on a free port of this machine."""
    binary = _found("mariadbd", "mysqld")
    if binary is None:
        pytest.skip("No MariaDB or MySQL server is installed here (mariadbd, mysqld).")
    with tempfile.TemporaryDirectory(prefix="twd-mysql-") as folder:
        common = [f"--datadir={folder}/data"]
        if os.geteuid() == 0:
            common.append("--user=root")
        _initialise(binary, common)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    binary,
                    "--no-defaults",
                    *common,
                    "--bind-address=127.0.0.1",
                    f"--port={port}",
                    f"--socket={folder}/socket",
                    f"--pid-file={folder}/pid",
                    "--character-set-server=utf8mb4",
                    "--skip-log-bin",
                    "--innodb-flush-log-at-trx-commit=0",
                    "--innodb-buffer-pool-size=32M",
                    "--loose-mysqlx=OFF",
                ],
                stdout=output,
                stderr=output,
            )
        try:
            made = Server(port, _is_mariadb(binary))
            _await(process, made, log)
            yield made
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def read(server: Server, connection_to: Any) -> Callable[..., Snapshot]:
    """Read a database as a role within limits: read(database, role, limits)."""

    def reading(database: str, role: str = "root", limits: ReadLimits | None = None) -> Snapshot:
        reader = SchemaReader(
            frozenset({"mysql"}), limits or ReadLimits(), reach_policy("loopback", "")
        )
        return reader.read(connection_to(server.dsn(database, role), "mysql"))

    return reading
