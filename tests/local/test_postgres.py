"""The local PostgreSQL: made, started, killed, started again, for real.

Belongs here: the server's life and its first databases. Not here: what is stored in it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from twd_local.listening import free_port
from twd_local.postgres.cluster import prepare, remove
from twd_local.postgres.databases import ensure_database, ensure_role, wait_ready
from twd_local.postgres.locations import PostgresError, resolve_locations
from twd_local.postgres.running import RunningPostgres, dsn_of, start_postgres

pytestmark = pytest.mark.integration

PASSWORD = "a'b c/%:@\\"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not pytest's own: that one is closed to other users, which is a case of its own here.
    made = Path(tempfile.mkdtemp(prefix="twd-postgres-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[RunningPostgres]:
    with start_postgres(folder / "data", PASSWORD) as running:
        yield running


def ask(dsn: str, statement: str) -> Any:
    with contextlib.closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None


def command(data_dir: Path, port: int, password_file: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "twd_local.postgres", "--data-dir", str(data_dir)),
        *("--port", str(port), "--password-file", str(password_file)),
    ]


def test_it_is_utf8_on_loopback_with_scram(server: RunningPostgres) -> None:
    dsn = server.dsn()
    shown = {
        name: ask(dsn, f"SHOW {name}")[0]
        for name in ("server_encoding", "listen_addresses", "unix_socket_directories", "fsync")
    }
    assert shown == {
        "server_encoding": "UTF8",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "on",
    }
    assert ask(
        dsn, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'"
    ) == (0,)
    assert ask(dsn, "SELECT upper('tiếng việt') COLLATE \"default\"") == ("TIẾNG VIỆT",)
    assert ask(
        dsn, "SELECT rolpassword LIKE 'SCRAM-SHA-256%' FROM pg_authid WHERE rolname = 'postgres'"
    ) == (True,)
    assert server.locations.major == 18


def test_sessions_are_in_utc_whatever_the_zone_of_the_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with start_postgres(folder / "tokyo", PASSWORD) as running:
        assert ask(running.dsn(), "SHOW timezone") == ("UTC",)


def test_passwords_made_by_a_machine_are_not_hashed_thousands_of_times(
    server: RunningPostgres,
) -> None:
    ensure_role(server.dsn(), "often_connected", "s3cret")
    for role in ("postgres", "often_connected"):
        found = ask(server.dsn(), f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'")
        assert found[0].startswith("SCRAM-SHA-256$1:")


def test_a_wrong_password_is_said_at_once_and_not_shown(server: RunningPostgres) -> None:
    started = time.monotonic()
    with pytest.raises(PostgresError, match="refuses the password") as caught:
        wait_ready(dsn_of(server.port, "hunter2"), 20)
    assert time.monotonic() - started < 5
    assert "hunter2" not in str(caught.value)


def test_a_server_that_is_not_there_is_given_up_at_the_deadline() -> None:
    with pytest.raises(PostgresError, match=r"did not answer within 0\.3 s"):
        wait_ready(dsn_of(free_port(), "x"), 0.3)


def test_roles_and_databases_may_be_ensured_again(server: RunningPostgres) -> None:
    name, secret = 'odd "name', "s'e%cret"
    for _ in range(2):
        ensure_role(server.dsn(), name, secret, member_of=["pg_read_all_data"])
        ensure_database(server.dsn(), name, owner=name)
    assert ask(dsn_of(server.port, secret, name, name), "SELECT current_user") == (name,)
    ensure_role(server.dsn(), name, "changed")
    assert ask(dsn_of(server.port, "changed", name, name), "SELECT 1") == (1,)
    log = (server.locations.data_dir.with_name("data.log")).read_text()
    assert secret not in log


def test_the_command_survives_a_kill_and_stops_on_sigint(folder: Path) -> None:
    data_dir, port, password_file = folder / "killed", free_port(), folder / "password"
    password_file.write_text(f"{PASSWORD}\n")
    dsn = dsn_of(port, PASSWORD)
    left_over = folder / "killed.tmp-abc"  # As an initdb killed half-way leaves it.
    left_over.mkdir()
    processes: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        processes.append(subprocess.Popen(command(data_dir, port, password_file)))
        wait_ready(dsn, 20)
        return processes[-1]

    try:
        first = start()
        assert not left_over.exists()
        ask(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        again = subprocess.run(
            command(data_dir, free_port(), password_file),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert again.returncode == 2
        assert "already runs" in again.stderr
        taken = subprocess.run(
            command(data_dir, port, password_file),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert taken.returncode == 2
        assert "--port" in taken.stderr
        first.kill()
        first.wait(10)
        second = start()
        assert ask(dsn, "SELECT answer FROM kept") == (42,)
        second.send_signal(signal.SIGINT)
        assert second.wait(10) == 0
    finally:
        for process in processes:
            process.kill()
            process.wait(10)


def test_a_pid_file_of_a_stranger_is_no_obstacle(server: RunningPostgres, folder: Path) -> None:
    data_dir = folder / "stranger"
    start_postgres(data_dir, PASSWORD).stop()
    real = (server.locations.data_dir / "postmaster.pid").read_text().splitlines()
    pid_file = resolve_locations(data_dir).data_dir / "postmaster.pid"
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *real[1:]]) + "\n")
        with start_postgres(data_dir, PASSWORD) as running:
            assert ask(running.dsn(), "SELECT 1") == (1,)
    finally:
        stranger.kill()
        stranger.wait(10)


def test_data_of_another_version_is_refused_by_name(folder: Path) -> None:
    data_dir = folder / "ancient"
    data_dir.mkdir()
    (data_dir / "PG_VERSION").write_text("9\n")
    with pytest.raises(PostgresError, match="made by PostgreSQL 9"):
        prepare(data_dir, PASSWORD)


def test_a_folder_with_other_things_is_left_alone(folder: Path) -> None:
    data_dir = folder / "photos"
    data_dir.mkdir()
    (data_dir / "cat.jpg").touch()
    with pytest.raises(PostgresError, match="no PostgreSQL data directory"):
        prepare(data_dir, PASSWORD)
    assert (data_dir / "cat.jpg").exists()
    with pytest.raises(PostgresError, match="password"):
        prepare(folder / "x", "")


def test_an_installation_may_be_named_from_the_folder_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = resolve_locations(tmp_path / "any").package_dir
    monkeypatch.chdir(package)
    found = resolve_locations(tmp_path / "any", Path("pginstall18"))
    assert found.bin_dir == package / "pginstall18/bin"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up its rights")
def test_root_works_below_a_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    away = Path(tempfile.mkdtemp(prefix="twd-private-"))
    away.chmod(0o755)
    monkeypatch.setattr("twd_local.postgres.locations.PRIVATE_ROOT", away)
    # The binaries, too, are where only root may look: as in a clone below a home directory.
    package = resolve_locations(away / "any").package_dir
    shutil.copytree(package / "pginstall18", tmp_path / package.name / "pginstall18")
    shutil.copytree(package.with_name(f"{package.name}.libs"), tmp_path / f"{package.name}.libs")
    monkeypatch.setattr(
        "twd_local.postgres.locations._package_dir", lambda: tmp_path / package.name
    )
    try:
        asked = tmp_path / "state" / "postgres"
        with start_postgres(asked, PASSWORD) as running:
            assert ask(running.dsn(), "SELECT 1") == (1,)
            assert running.locations == resolve_locations(asked)
            assert running.locations.data_dir.is_relative_to(away)
            assert running.locations.bin_dir.is_relative_to(away)
            assert Path(f"/proc/{running.process.pid}").stat().st_uid != 0
        assert not asked.exists()
        remove(asked)
        assert [path.name.partition("-")[0] for path in away.iterdir()] == ["binaries"]
    finally:
        shutil.rmtree(away)
