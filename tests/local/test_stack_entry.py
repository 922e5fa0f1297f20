"""What a command of the stack makes of the shell that it is given in, and of signals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import twd_local
from twd_local.stack.entry import has_own_postgres
from twd_local.stack.environment import forget_libpq, reach_this_machine_directly
from twd_local.stack.home import REPOSITORY, Home
from twd_local.stack.supervision import Supervisor


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "intranet, localhost"}, "intranet,localhost,127.0.0.1"),
        ({"no_proxy": "intranet"}, "intranet,127.0.0.1,localhost"),
    ],
)
def test_a_proxy_never_stands_before_servers_of_this_machine(
    given: dict[str, str], expected: str
) -> None:
    environment = {"HTTP_PROXY": "http://proxy:3128"} | given
    reach_this_machine_directly(environment)
    assert environment["no_proxy"] == environment["NO_PROXY"] == expected
    assert environment["HTTP_PROXY"] == "http://proxy:3128"


def test_a_proxy_that_is_for_nothing_stays_so() -> None:
    environment = {"no_proxy": "*"}
    reach_this_machine_directly(environment)
    assert environment == {"no_proxy": "*"}


def test_what_is_meant_for_clients_of_another_postgresql_is_forgotten() -> None:
    environment = {"PGSSLMODE": "verify-full", "PGHOSTADDR": "10.0.0.1", "PATH": "/bin"}
    forget_libpq(environment)
    assert environment == {"PATH": "/bin"}


@pytest.mark.parametrize(("name", "is_own"), [("postgres", True), ("daemon", False)])
def test_a_postgresql_is_our_own_where_the_stack_that_runs_has_started_it(
    name: str, is_own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.create()
    (home.services / f"{name}.json").touch()
    assert not has_own_postgres(home)
    monkeypatch.setattr(Supervisor, "is_running", lambda _: True)
    assert has_own_postgres(home) == is_own


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_told_to_end_takes_back_what_it_began(
    number: signal.Signals, tmp_path: Path
) -> None:
    # The tests may run under nohup, which has a closed terminal ignored.
    code = f"""
import signal, time
from twd_local.stack.entry import run_command
signal.signal({number:d}, signal.SIG_DFL)
def main():
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("taken back", flush=True)
run_command(main)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TWD_HOME": str(tmp_path)},
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "begun\n"
        command.send_signal(number)
        assert command.communicate(timeout=20)[0] == "taken back\n"
    assert command.returncode == 128 + number


def test_every_command_of_the_stack_begins_so() -> None:
    named = set(re.findall(r"-m (twd_local\.\w+)", (REPOSITORY / "Makefile").read_text()))
    # It asks the index of packages alone.
    for name in named - {"twd_local.audit"}:
        path = Path(twd_local.__path__[0], name.partition(".")[2])
        source = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
        assert source.read_text().endswith("    run_command(main)\n")
