"""What the commands of the stack say when something goes wrong: one message, no secret."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import psycopg2
import pytest

from twd_local.demo.__main__ import main as demo
from twd_local.index_migration import main as migrate_index
from twd_local.stack.__main__ import main as stack
from twd_local.stack.connect import connect, register
from twd_local.stack.errors import StackError, explained
from twd_local.stack.home import REPOSITORY, Home
from twd_local.stack.private_files import write_private_json

from ..closed_output import run_unread

DSN = "postgresql://reader:pa%24s-secret@db.internal:5432/shop"


@contextmanager
def application(
    status: int, body: str, received: list[dict[str, object]] | None = None
) -> Iterator[str]:
    """A server that gives this answer to every POST; yields its address, fills `received`."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if received is not None:
                received.append(posted)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("body", ["<html>Welcome</html>", "[]", "{}", '{"id": null}', "7"])
def test_an_answer_that_is_no_connection_is_told_as_such(body: str) -> None:
    with application(200, body) as url, pytest.raises(StackError, match="is not the application"):
        register(url, "shop", DSN)


@pytest.mark.parametrize(("identifier", "expected"), [("12", 12), ('"a-uuid"', "a-uuid")])
def test_the_id_may_be_a_number_or_a_text(identifier: str, expected: int | str) -> None:
    with application(201, f'{{"id": {identifier}}}') as url:
        assert register(url, "shop", DSN) == (expected, True)


def connected(url: str, options: str) -> str:
    stack = {"TWD_API_URL": url, "TWD_UI_URL": "http://ui"}
    return connect(stack, {"NAME": "shop", "DSN": DSN, "OPTIONS": options})


@pytest.mark.parametrize(
    ("options", "sent"),
    [('{"exclude": ["audit.*"]}', {"extraction": {"exclude": ["audit.*"]}}), ("", {})],
)
def test_options_are_sent_when_they_are_given(options: str, sent: dict[str, object]) -> None:
    received: list[dict[str, object]] = []
    with application(201, '{"id": 12}', received) as url:
        assert "shop is registered as connection 12" in connected(url, options)
    base = {"database_name": "shop", "connection_string": DSN, "db_type": "postgresql"}
    assert received == [base | sent]


def test_options_for_what_is_registered_already_are_told_not_to_be_taken() -> None:
    with application(200, '{"id": 12}') as url:
        assert "Its options stay as they are" in connected(url, "{}")


@pytest.mark.parametrize("options", ["exclude=audit", '["audit"]', "{"])
def test_options_that_are_no_object_are_refused_without_asking(options: str) -> None:
    with pytest.raises(StackError, match="OPTIONS is not a JSON object"):
        connected("http://127.0.0.1:1", options)


@pytest.mark.parametrize("secret", [DSN, "pa%24s-secret", "pa$s-secret"])
def test_a_refusal_that_repeats_the_connection_string_is_not_shown(secret: str) -> None:
    with (
        application(422, f'{{"detail": "bad input: {secret}"}}') as url,
        pytest.raises(StackError) as raised,
    ):
        register(url, "shop", DSN)
    assert str(raised.value) == "The application did not accept shop: HTTP 422"


def test_a_refusal_in_the_applications_words_is_shown() -> None:
    with (
        application(409, '{"detail": "it is there already"}') as url,
        pytest.raises(StackError, match="it is there already"),
    ):
        register(url, "shop", DSN)


@pytest.mark.parametrize("dsn", ["shop", "postgresql://[half-an-address"])
def test_what_is_no_connection_string_is_refused_without_asking(dsn: str) -> None:
    with pytest.raises(StackError, match="is not of the form"):
        register("http://127.0.0.1:1", "shop", dsn)


def test_a_drivers_text_is_not_repeated() -> None:
    with pytest.raises(psycopg2.Error) as raised:
        psycopg2.connect("postgresql://somebody:do-not-show@127.0.0.1:1/nowhere")
    assert "127.0.0.1" in str(raised.value)
    message = explained(raised.value)
    assert "OperationalError" in message
    assert "make logs" in message
    for part in ("127.0.0.1", "somebody", "do-not-show", "nowhere"):
        assert part not in message


def test_an_unreachable_server_is_told_with_what_to_do() -> None:
    with pytest.raises(httpx.HTTPError) as raised:
        httpx.get("http://user:do-not-show@127.0.0.1:1/")
    message = explained(raised.value)
    assert "ConnectError" in message
    assert "make status" in message
    assert "do-not-show" not in message


def test_a_home_that_cannot_be_made_is_a_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("TWD_HOME", str(file / "home"))
    assert stack(["up"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: The operating system refused: {file}")
    assert "Traceback" not in said


def test_stopping_what_is_not_there_makes_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TWD_HOME", str(tmp_path / "mistyped"))
    assert stack(["down"]) == 0
    assert capsys.readouterr().out == f"There is no stack in {tmp_path}/mistyped.\n"
    assert not (tmp_path / "mistyped").exists()


def test_the_demo_says_so_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("TWD_HOME", str(file / "home"))
    assert demo() == 1
    assert f"error: The operating system refused: {file}" in capsys.readouterr().out


def test_a_migration_of_the_index_says_so_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TWD_HOME", str(tmp_path))
    assert migrate_index([]) == 1
    assert capsys.readouterr().err.startswith("error: The stack has not been started yet")
    home = Home(tmp_path)
    home.create()
    home.environment_file.mkdir()
    assert migrate_index([]) == 1
    assert capsys.readouterr().err.startswith("error: The operating system refused: ")


def test_whoever_has_seen_enough_of_a_migration_is_told_that_it_goes_on(started_home: Home) -> None:
    answer = {
        "launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": "r1"}},
        "runOrError": {"status": "STARTED"},
        "logsForRun": {"cursor": "c", "events": []},
    }
    with application(200, json.dumps({"data": answer})) as url:
        write_private_json(started_home.ports_file, {"webserver": int(url.rpartition(":")[2])})
        command = [sys.executable, "-m", "twd_local.index_migration"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as following:
            assert following.stdout is not None
            assert following.stdout.readline() == f"{url}/runs/r1\n"
            following.send_signal(signal.SIGINT)
            _, said = following.communicate(timeout=60)
    assert following.returncode == 130
    assert said.strip() == "Nobody follows the run any more. It goes on by itself."


def test_a_folder_in_which_no_stack_was_is_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    monkeypatch.setenv("TWD_HOME", str(tmp_path))
    assert stack(["clean"]) == 1
    assert f"{tmp_path} holds other things, and no stack was ever" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_what_others_keep_in_the_folder_of_a_stack_is_not_deleted_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Home(tmp_path).create()
    for name in ("thesis.txt", ".ports.json.17", "postgres.tmp-ab"):
        (tmp_path / name).touch()
    monkeypatch.setenv("TWD_HOME", str(tmp_path))
    assert stack(["clean"]) == 0
    assert "What is not its own stays: thesis.txt." in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.fixture
def started_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The home of a stack that was started and has no environment of its own."""
    monkeypatch.setenv("TWD_HOME", str(tmp_path))
    home = Home(tmp_path)
    home.create()
    write_private_json(home.environment_file, {})
    return home


def test_a_stack_of_another_user_is_not_said_to_be_stopped(
    started_home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert stack(["status"]) == 1
    assert f"The stack in {started_home.root} is another user's" in capsys.readouterr().err


def test_a_service_without_a_log_is_a_message(
    started_home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stack(["logs", "ollama"]) == 1
    assert "There is no log of ollama" in capsys.readouterr().err


def test_a_file_of_ports_that_is_damaged_is_a_message(
    started_home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    started_home.ports_file.write_text('{"qdrant": 63')
    assert stack(["logs"]) == 1
    assert f"{started_home.ports_file} is damaged. Delete it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"), [(["no-such-command"], "There is no command"), ([], "usage:")]
)
def test_a_command_that_is_not_there_is_a_message(
    words: list[str],
    message: str,
    started_home: Home,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert stack(["run", "--", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "status"), [(["run", "--", "no-such-command"], 2), (["connect"], 1)]
)
def test_a_command_that_needs_a_stopped_stack_says_how_to_start_it(
    command: list[str],
    status: int,
    started_home: Home,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_private_json(started_home.ports_file, {"postgres": 1})
    write_private_json(started_home.services / "postgres.json", {})
    assert stack(command) == status
    assert capsys.readouterr().err == "error: The stack is not running. Start it with: make up\n"


def test_a_plan_of_a_stack_that_never_ran_is_a_failure_and_not_a_difference(tmp_path: Path) -> None:
    environments = (".venv/.stack", "locations/schema/.venv/.ready")
    done = subprocess.run(
        [
            "make",
            *(f"--old-file={made}" for made in environments),
            f"RUN={sys.executable}",
            "plan",
            "DB=shop",
        ],
        cwd=REPOSITORY,
        env={**os.environ, "TWD_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "error: The stack has not been started yet" in done.stderr
    assert done.returncode != 0


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("connect", ("DSN", "OPTIONS", "TRAINING")),
        ("ask", ("DB", "Q")),
        ("describe", ("DB", "TABLE", "COLUMN", "TEXT")),
    ],
)
@pytest.mark.parametrize("is_typed", [True, False], ids=["typed", "environment"])
def test_make_hands_on_what_is_typed_as_it_is(
    target: str, names: tuple[str, ...], is_typed: bool, tmp_path: Path
) -> None:
    typed = {name: f"{name} $5 $HOME $(info x) $$ # 'q' \"" for name in names}
    told = told_by_make(target, typed if is_typed else {}, {} if is_typed else typed, tmp_path)
    assert {name: told.get(name) for name in names} == typed


def told_by_make(
    target: str, typed: dict[str, str], environment: dict[str, str], folder: Path
) -> dict[str, str]:
    """The environment of the command that make runs for `target`."""
    tell = folder / "tell"
    tell.write_text(
        f"#!{sys.executable}\nimport json, os\nprint(json.dumps(dict(os.environ)))\n",
        encoding="utf-8",
    )
    tell.chmod(0o755)
    environments = (".venv/.stack", "locations/schema/.venv/.ready")
    # As from a terminal, also where make itself runs the tests.
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        [
            "make",
            *(f"--old-file={made}" for made in environments),
            f"RUN={tell}",
            target,
            *(f"{name}={value}" for name, value in typed.items()),
        ],
        cwd=REPOSITORY,
        env=own | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_make_takes_no_name_that_a_shell_may_export_by_itself(tmp_path: Path) -> None:
    names = ("NAME", "TYPE", "FROM", "TO")
    typed, exported = dict.fromkeys(names, "typed $HOME"), dict.fromkeys(names, "exported")
    for given, expected in ((typed, "typed $HOME"), ({}, "")):
        told = told_by_make("connect", given, exported, tmp_path)
        assert {name: told.get(name) for name in names} == dict.fromkeys(names, expected)


@pytest.mark.parametrize(
    ("typed", "exported", "status", "is_asked"),
    [
        (["YES=1"], {}, 0, False),
        (["YES=yes"], {}, 0, False),
        ([], {}, 0, True),
        ([], {"YES": "1"}, 0, True),
        (["YES=0"], {}, 2, True),
        (["YES=no"], {}, 2, True),
    ],
)
def test_a_restore_does_not_ask_where_that_was_typed_and_nowhere_else(
    typed: list[str], exported: dict[str, str], status: int, is_asked: bool
) -> None:
    options = ["--old-file=.venv/.stack", "RUN=echo", "restore", "FROM=folder", *typed]
    done = subprocess.run(
        ["make", *options],
        cwd=REPOSITORY,
        env=os.environ | exported,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "--yes" not in done.stdout) == (status, is_asked)


def test_make_tells_a_forgotten_text_from_an_empty_one() -> None:
    environments = (".venv/.stack", "locations/schema/.venv/.ready")
    options = [*(f"--old-file={made}" for made in environments), "RUN=true"]
    environment = {name: value for name, value in os.environ.items() if name != "TEXT"}
    statuses = [
        subprocess.run(
            ["make", *options, "describe", "DB=shop", "TABLE=public.film", *text],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            check=False,
        ).returncode
        for text in ([], ["TEXT="])
    ]
    assert statuses == [2, 0]


@pytest.mark.parametrize("target", ["down", "clean"])
def test_after_an_install_that_was_interrupted_there_is_nothing_to_stop(
    target: str, tmp_path: Path
) -> None:
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho ModuleNotFoundError >&2\nexit 1\n")
    python.chmod(0o755)
    command = ["make", f"--file={REPOSITORY / 'Makefile'}", target]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_of_the_status_that_has_seen_enough_is_no_failure(tmp_path: Path) -> None:
    environment = os.environ | {"TWD_HOME": str(tmp_path)}
    done = run_unread("-m", "twd_local.stack", "status", environment=environment)
    assert (done.returncode, done.stderr) == (0, b"")
