"""Real processes under a real supervisord: kept running, found again, all ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import psutil
import pytest

from twd_local.postgres.locations import resolve_locations
from twd_local.stack import lifecycle, processes
from twd_local.stack.errors import StackError
from twd_local.stack.home import Home
from twd_local.stack.lifecycle import down, up
from twd_local.stack.plan import Say, Stack
from twd_local.stack.readiness import wait_until_ready
from twd_local.stack.services import Service
from twd_local.stack.supervision import Supervisor, write_configuration

SECRET = "do-not-show"

# A server that starts a child which outlives it, as a code server starts runs.
SERVER = textwrap.dedent("""
    import pathlib, subprocess, sys, time
    folder = pathlib.Path(sys.argv[1])
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder / "child").write_text(str(child.pid))
    (folder / "ready").touch()
    time.sleep(600)
""")
FAILING = "import sys; print('the reason why'); sys.exit(3)"
# As a server does that cannot begin before something is put right.
FAILING_AT_FIRST = textwrap.dedent("""
    import pathlib, sys, time
    folder = pathlib.Path(sys.argv[1])
    if not (folder / "repaired").exists():
        sys.exit(3)
    (folder / "ready").touch()
    time.sleep(600)
""")
# As Dagster does where a location's code does not load, from under as many calls.
WRAPPING = textwrap.dedent("""
    def load():
        try:
            raise ValueError("TWD_TIMEZONE must name a time zone")
        except ValueError as error:
            raise RuntimeError("it does not load") from error
    call = load
    for depth in range(15):
        exec(f"def call_{depth}(inner=call):\\n    inner()")
        call = globals()[f"call_{depth}"]
    call()
""")
# Asked to end, it ends what it has begun, as the daemon ends its ticks: they ask a code server.
DAEMON = textwrap.dedent("""
    import pathlib, signal, sys, time
    folder = pathlib.Path(sys.argv[1])
    def end(*_):
        time.sleep(0.5)
        server = pathlib.Path("/proc", (folder / "server").read_text())
        (folder / "served").write_text(str(server.exists()))
        sys.exit()
    signal.signal(signal.SIGTERM, end)
    (folder / "ready").touch()
    time.sleep(600)
""")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    home.create()
    yield home
    processes.end_all(home)


def start(home: Home, code: str, *arguments: str) -> tuple[Supervisor, Service]:
    service = Service("schema", (sys.executable, "-c", code, *arguments), stop_seconds=1)
    write_configuration(home, [service], {"TWD_METADATA_DSN": SECRET})
    supervisor = Supervisor(home)
    supervisor.start()
    supervisor.start_process("schema")
    return supervisor, service


def wait_for(fact: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_replaced_server_leaves_its_runs_alone(home: Home, tmp_path: Path) -> None:
    supervisor, service = start(home, SERVER, str(tmp_path))
    wait_until_ready(home, supervisor, service, (tmp_path / "ready").exists)
    before = supervisor.pid_if_alive("schema")
    run = psutil.Process(int((tmp_path / "child").read_text()))
    supervisor.restart("schema")
    assert supervisor.pid_if_alive("schema") not in (0, before)
    assert not psutil.pid_exists(before)
    assert run.status() != psutil.STATUS_ZOMBIE
    assert run.pid in {process.pid for process in processes.members(home)}
    processes.end_all(home)
    assert processes.members(home) == []
    assert not supervisor.is_running()


def test_what_a_killed_supervisord_leaves_is_found_and_ended(home: Home, tmp_path: Path) -> None:
    supervisor, service = start(home, SERVER, str(tmp_path))
    wait_until_ready(home, supervisor, service, (tmp_path / "ready").exists)
    os.kill(supervisor.pid(), signal.SIGKILL)
    wait_for(lambda: not supervisor.is_running())
    assert len(processes.members(home)) == 2
    assert processes.end_all(home) == 2
    assert processes.members(home) == []


def test_a_stack_whose_supervisord_cannot_be_asked_is_not_ended_by_a_start(
    home: Home, tmp_path: Path
) -> None:
    supervisor, service = start(home, SERVER, str(tmp_path))
    wait_until_ready(home, supervisor, service, (tmp_path / "ready").exists)
    before = len(processes.members(home))
    home.supervisor_socket.unlink()
    with pytest.raises(StackError, match="make down, then make up"):
        up(home, {"TWD_PORTS": "free"})
    assert len(processes.members(home)) == before


def test_a_killed_service_is_started_again(home: Home, tmp_path: Path) -> None:
    supervisor, service = start(home, SERVER, str(tmp_path))
    wait_until_ready(home, supervisor, service, (tmp_path / "ready").exists)
    # supervisord restarts what has run for a second at least.
    wait_for(lambda: supervisor.processes()["schema"]["statename"] == "RUNNING")
    before = supervisor.pid_if_alive("schema")
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: supervisor.pid_if_alive("schema") not in (0, before))


def test_a_service_that_waits_for_its_next_try_can_be_started_now(
    home: Home, tmp_path: Path
) -> None:
    supervisor, service = start(home, FAILING_AT_FIRST, str(tmp_path))
    wait_for(lambda: supervisor.processes()["schema"]["statename"] == "BACKOFF")
    (tmp_path / "repaired").touch()
    supervisor.start_process("schema")
    wait_until_ready(home, supervisor, service, (tmp_path / "ready").exists)
    assert supervisor.pid_if_alive("schema")


def test_a_service_that_is_being_stopped_is_started_when_it_has_ended(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server").write_text("0")
    supervisor, service = start(home, DAEMON, str(tmp_path))
    wait_until_ready(home, supervisor, service, (tmp_path / "ready").exists)
    before = supervisor.pid_if_alive("schema")
    with monkeypatch.context() as patch:
        patch.setattr("twd_local.stack.supervision.time.sleep", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            supervisor.stop(["schema"])
    assert supervisor.processes()["schema"]["statename"] == "STOPPING"
    supervisor.start_process("schema")
    assert supervisor.pid_if_alive("schema") not in (0, before)


def test_nobody_interrupts_the_end_of_what_an_interrupted_start_had_begun(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service("schema", (sys.executable, "-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(lifecycle, "plan", Mock(return_value=Stack(home, (service,), {}, {})))
    monkeypatch.setattr(lifecycle, "prepare_releases", Mock())

    def interrupted(_: Stack, supervisor: Supervisor, say: Say) -> None:
        supervisor.start_process("schema")
        say("started")
        raise KeyboardInterrupt

    def impatient(line: str) -> None:
        said.append(line)
        if line == "Stopping what was started.":
            os.kill(os.getpid(), signal.SIGINT)

    said: list[str] = []
    monkeypatch.setattr(lifecycle, "_start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        up(home, {"TWD_PORTS": "free"}, say=impatient)
    assert said == ["started", "Stopping what was started."]
    assert processes.members(home) == []


def test_dagster_finds_no_env_file_that_would_win_over_the_environment(
    home: Home, tmp_path: Path
) -> None:
    supervisor, service = start(home, SERVER, str(tmp_path))
    wait_until_ready(home, supervisor, service, (tmp_path / "ready").exists)
    # Not where .env is: Dagster's commands would read it once more, over what they were given.
    assert psutil.Process(supervisor.pid_if_alive("schema")).cwd() == str(home.dagster_home)


def test_a_service_that_ends_is_reported_with_the_end_of_its_log(home: Home) -> None:
    supervisor, service = start(home, FAILING)
    with pytest.raises(StackError, match="the reason why") as failure:
        wait_until_ready(home, supervisor, service, lambda: False, deadline_seconds=20)
    assert "schema ended while starting" in str(failure.value)


def test_what_an_error_passes_on_is_told_as_well(home: Home) -> None:
    supervisor, service = start(home, WRAPPING)
    with pytest.raises(StackError, match="it does not load") as failure:
        wait_until_ready(home, supervisor, service, lambda: False, deadline_seconds=20)
    assert "TWD_TIMEZONE must name a time zone" in str(failure.value)


def test_no_password_is_on_a_command_line_or_readable_by_others(home: Home, tmp_path: Path) -> None:
    supervisor, service = start(home, SERVER, str(tmp_path))
    wait_until_ready(home, supervisor, service, (tmp_path / "ready").exists)
    for process in processes.members(home):
        assert SECRET not in " ".join(process.cmdline())
    assert SECRET not in home.supervisor_config.read_text()
    for file in home.services.iterdir():
        if file.is_file() and SECRET in file.read_text():
            assert file.stat().st_mode & 0o077 == 0


def test_what_services_write_is_the_owners_alone(home: Home, tmp_path: Path) -> None:
    supervisor, service = start(home, SERVER, str(tmp_path))
    wait_until_ready(home, supervisor, service, (tmp_path / "ready").exists)
    assert (tmp_path / "child").stat().st_mode & 0o077 == 0


def test_a_deep_home_gets_a_socket_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / ("deep" * 30))
    before = home.supervisor_socket
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert home.supervisor_socket == before
    assert len(str(home.supervisor_socket)) <= 100
    home.create()
    assert home.supervisor_socket.parent.stat().st_mode & 0o077 == 0
    home.supervisor_socket.parent.rmdir()


def test_code_servers_serve_until_the_daemon_has_ended(home: Home, tmp_path: Path) -> None:
    daemon = Service("daemon", (sys.executable, "-c", DAEMON, str(tmp_path)))
    server = Service(
        "schema", (sys.executable, "-c", "import time; time.sleep(600)"), stop_signal="KILL"
    )
    write_configuration(home, [server, daemon], {})
    supervisor = Supervisor(home)
    supervisor.start()
    supervisor.start_process("schema")
    (tmp_path / "server").write_text(str(supervisor.pid_if_alive("schema")))
    supervisor.start_process("daemon")
    wait_until_ready(home, supervisor, daemon, (tmp_path / "ready").exists)
    down(home)
    assert (tmp_path / "served").read_text() == "True"


def test_one_command_at_a_time(home: Home) -> None:
    with home.locked(), pytest.raises(StackError, match="Another command"), home.locked():
        pass


def test_a_shell_in_the_databases_folder_is_nobody_elses_to_end(home: Home, tmp_path: Path) -> None:
    folder = resolve_locations(home.postgres_data).data_dir
    folder.mkdir(parents=True, exist_ok=True)
    sleep = shutil.which("sleep")
    assert sleep
    # The name of a process is that of its program's file.
    (tmp_path / "postgres").symlink_to(sleep)
    shell = subprocess.Popen([sleep, "60"], cwd=folder)
    server = subprocess.Popen(
        [tmp_path / "postgres", "60"],
        cwd=folder,
        # A shell that runs tests in the background has them ignore it, and PostgreSQL would not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        wait_for(lambda: psutil.Process(server.pid).name() == "postgres")
        assert [process.pid for process in processes.members(home)] == [server.pid]
        processes.end_all(home)
        assert not psutil.pid_exists(server.pid)
        assert shell.poll() is None
    finally:
        for process in (shell, server):
            process.kill()
            process.wait()
