"""The command line: as people and CI use it, against real databases and hostile names."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from twd_schema.command import main

from ..closed_output import run_unread

Execute = Callable[..., None]
CANARY = "canary-9f2c"

SHOP = """
create type mood as enum ('sad', 'ok');
create table customers (id int primary key, mood mood, email text);
create table orders (id int primary key, customer_id int not null references customers,
    total numeric(10, 2) default 0 check (total >= 0));
create index on orders (total) where total > 10;
create view totals as select customer_id, sum(total) from orders group by 1;
create table visits (at date not null) partition by range (at);
create table visits_2024 partition of visits for values from ('2024-01-01') to ('2025-01-01');
"""
HOSTILE = ("line\nbreak", "\x1b[31mred", 'say "x"', "🙂 bảng", "\u202eright-to-left", "a\tb; --")


@pytest.fixture
def shop(services: Any, execute: Execute, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database whose address stands in the variable SHOP_DSN too."""
    dsn = services.database()
    execute(dsn, SHOP)
    monkeypatch.setenv("SHOP_DSN", dsn)
    return dsn


@pytest.fixture
def stored(shop: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A file of the shop's snapshot, as `extract --format json` writes it."""
    assert main(["extract", "env:SHOP_DSN", "--format", "json"]) == 0
    file = tmp_path / "shop.json"
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    return str(file)


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a shell starts it."""
    command = [sys.executable, "-m", "twd_schema.command", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, **options
    )


def test_extract_lists_tables_and_ends_in_a_summary(
    shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["extract", shop]) == 0
    *tables, summary = capsys.readouterr().out.splitlines()
    assert [line.split() for line in tables] == [
        ["public.customers", "table", "3", "columns"],
        ["public.orders", "table", "3", "columns"],
        ["public.totals", "view", "2", "columns"],
        ["public.visits", "partitioned_table", "1", "column"],
    ]
    assert "4 tables, 9 columns, fingerprint " in summary


def test_the_same_schema_has_the_same_fingerprint_from_a_file(
    shop: str, stored: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["extract", shop])
    read = capsys.readouterr().out
    main(["extract", stored])
    assert capsys.readouterr().out == read


@pytest.mark.parametrize(
    ("change", "status", "rule"),
    [
        ("select 1", 0, ""),
        ("alter table orders add note text", 1, "column_added"),
        ("alter table customers alter email set not null", 1, "column_nullability_changed"),
        ("alter table customers drop email", 3, "column_removed"),
    ],
    ids=["same", "safe", "risky", "breaking"],
)
def test_the_status_of_diff_says_how_bad_it_is(
    shop: str,
    stored: str,
    execute: Execute,
    capsys: pytest.CaptureFixture[str],
    change: str,
    status: int,
    rule: str,
) -> None:
    execute(shop, change)
    assert main(["diff", stored, "env:SHOP_DSN"]) == status
    assert rule in capsys.readouterr().out


def test_diff_writes_its_changes_as_json(
    shop: str, stored: str, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(shop, "alter table customers drop email")
    assert main(["diff", stored, shop, "--format", "json"]) == 3
    [change] = json.loads(capsys.readouterr().out)
    assert (change["rule"], change["subject"]) == ("column_removed", "public.customers.email")


def test_a_pattern_holds_for_both_sides_of_diff(
    shop: str, stored: str, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(shop, "alter table customers drop email")
    assert main(["diff", stored, shop, "--exclude", "public.cust*"]) == 0


def test_what_b_is_not_shown_is_not_told_as_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = {"object": "table", "schema": "shop", "kind": "table"}
    head = {"dialect": "mysql", "database_name": "shop", "server_version": "8"}
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text(json.dumps({**head, "tables": [{**table, "name": n} for n in ("one", "two")]}))
    b.write_text(
        json.dumps({**head, "tables": [{**table, "name": "one"}], "granted": [["shop", "one"]]})
    )
    assert main(["diff", str(a), str(b)]) == 0
    assert "as B does not show all: 1 object of A" in capsys.readouterr().out


@pytest.mark.parametrize("source", ["shop", "pagila"])
def test_the_text_of_ddl_rebuilds_the_schema_in_an_empty_database(
    services: Any,
    shop: str,
    execute: Execute,
    capsys: pytest.CaptureFixture[str],
    source: str,
) -> None:
    dsn = shop if source == "shop" else services.source(source)
    empty = services.database()
    assert main(["ddl", dsn]) == 0
    execute(empty, capsys.readouterr().out)
    assert main(["diff", dsn, empty]) == 0


def test_the_json_of_ddl_is_a_list_of_statements(
    services: Any, shop: str, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = services.database()
    main(["ddl", shop, "--format", "json"])
    execute(empty, *json.loads(capsys.readouterr().out))
    assert main(["diff", shop, empty]) == 0


@pytest.mark.parametrize("table", ["public.orders", "public.visits_2024"])
def test_ddl_writes_one_table_or_partition_alone(
    shop: str, capsys: pytest.CaptureFixture[str], table: str
) -> None:
    assert main(["ddl", shop, "--table", table]) == 0
    written = capsys.readouterr().out
    assert written.startswith(f"CREATE TABLE {table} ")
    assert "customers (" not in written


def test_hostile_names_break_no_line_of_text(
    services: Any, execute: Execute, stored: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dsn = services.database()
    quoted = ['"{}"'.format(name.replace('"', '""')) for name in HOSTILE]
    execute(dsn, *(f"create table {name} ({name} int)" for name in quoted))
    assert main(["extract", dsn]) == 0
    assert main(["diff", stored, dsn]) == 3
    lines = capsys.readouterr().out.removesuffix("\n").split("\n")
    assert all(line.isprintable() for line in lines)
    assert sum(line.endswith("1 column") for line in lines) == len(HOSTILE)
    assert sum("table_added" in line for line in lines) == len(HOSTILE)


def test_hostile_names_are_exact_in_json(
    services: Any, execute: Execute, capsys: pytest.CaptureFixture[str]
) -> None:
    dsn = services.database()
    quoted = ['"{}"'.format(name.replace('"', '""')) for name in HOSTILE]
    execute(dsn, *(f"create table {name} ()" for name in quoted))
    main(["extract", dsn, "--format", "json"])
    tables = json.loads(capsys.readouterr().out)["tables"]
    assert {table["name"] for table in tables} == set(HOSTILE)


def test_output_is_utf_8_whatever_the_terminal_says(
    services: Any, execute: Execute, shop: str
) -> None:
    execute(shop, 'create table "bảng 🙂" ()')
    done = run("extract", shop, env={**os.environ, "PYTHONIOENCODING": "ascii"}, encoding="utf-8")
    assert done.returncode == 0
    assert "public.bảng 🙂" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["extract", "env:NOT_SET_AT_ALL"], "variable NOT_SET_AT_ALL holds no connection string"),
        (["extract", "no/such/file"], "No such file or directory"),
        (["extract", "."], "Is a directory"),
        (["extract", __file__], "holds no snapshot"),
        (["extract", "oracle://h/x"], "is of type 'oracle', which is not read"),
        (["extract", "postgresql://127.0.0.1:1/x"], "cannot be reached"),
        (["ddl", "env:SHOP_DSN", "--table", "orders"], "write it as schema.table"),
        (["extract", "env:SHOP_DSN", "--include", 'a"'], "is no table pattern"),
        (["extract", "env:SHOP_DSN", "--include", "nothing"], "--include and --exclude leave none"),
        (["ddl", "env:SHOP_DSN", "--table", "\x1b[2J"], "no table �[2J"),
    ],
)
def test_a_failure_has_its_own_status_and_says_why_on_standard_error(
    shop: str, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.startswith("twd-schema: ")
    assert captured.err.count("\n") == 1
    assert reason in captured.err


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("", "DSN is empty. Is the variable that should hold it set?"),
        ("/", "(Is a directory). Write dialect://user:password@host/database, or the name of a"),
        ("sqlite:////", "DSN names /, which is no file. Write sqlite:///PATH of a database file."),
        ("sqlite:///", "DSN names no file. Write sqlite:///PATH of a database file."),
        ("postgresql://u:p@127.0.0.1:0/x", "names port 0; ports go from 1 to 65535. Correct the"),
        (
            "mysql://u:p@127.0.0.1:99999/x",
            "names port 99999; ports go from 1 to 65535. Correct the",
        ),
        ("postgresql://", "names no host and no database. Correct the connection string."),
        ("postgresql://h", "names no database. Correct the connection string."),
        ("://h/x", "DSN is of type '', which is not read. Write one before :// that is: mysql, "),
    ],
)
def test_what_is_wrong_with_a_connection_string_is_said_with_what_to_do(
    capsys: pytest.CaptureFixture[str], place: str, reason: str
) -> None:
    assert main(["extract", place]) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "[]", '{"dialect": 1}', "\ud800"])
def test_a_damaged_snapshot_file_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    file = tmp_path / "x"
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert main(["diff", str(file), str(file)]) == 2
    assert "holds no snapshot" in capsys.readouterr().err


def test_a_file_of_an_empty_snapshot_is_a_failure_not_a_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x"
    file.write_text('{"dialect": "sqlite", "database_name": "x", "server_version": "3"}')
    assert main(["extract", str(file)]) == 2
    assert "holds 0 tables" in capsys.readouterr().err


@pytest.mark.parametrize(
    "place",
    [
        f"postgresql://u:{CANARY}@127.0.0.1:1/x",
        f"postgresql://u:{CANARY}@x@127.0.0.1:1/x",
        f"postgresql://u:{CANARY}:x@127.0.0.1/x",
        f"postgresql://u:{CANARY}@127.0.0.1:port/x",
        f"postgresql://u:{CANARY}@no-such-host.invalid/x",
        f"postgresql:/u:{CANARY}@127.0.0.1/x",
        f"u:{CANARY}@127.0.0.1/x",
        f"host=127.0.0.1 user=u password={CANARY}",
        f"env:postgresql://u:{CANARY}@127.0.0.1/x",
        f"mysql://u:{CANARY}@127.0.0.1:1/x",
    ],
)
def test_a_password_is_never_repeated(capsys: pytest.CaptureFixture[str], place: str) -> None:
    assert main(["extract", place]) == 2
    assert CANARY not in "".join(capsys.readouterr())


def test_a_refused_password_is_never_repeated(
    shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["extract", f"postgresql://nobody:{CANARY}@{shop.rpartition('@')[2]}"]) == 2
    captured = capsys.readouterr()
    assert "refused user 'nobody'" in captured.err
    assert captured.err.endswith("Correct the connection string.\n")
    assert CANARY not in captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        [f"postgresql://u:{CANARY}@h/db"],
        [f"u:{CANARY}@h/db"],
        ["extract", "a", f"postgresql://u:{CANARY}@h/db"],
        ["extract", "a", f"postgresql://u:x {CANARY}@h/db"],
        ["extract", f"--dsn=postgresql://u:{CANARY}@h/db", "x"],
        ["extract", "a", "--format", f"postgresql://u:{CANARY}@h/db"],
    ],
)
def test_a_wrong_command_line_repeats_no_password(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert "twd-schema" in captured.err
    assert CANARY not in captured.err + captured.out


def test_a_wrong_command_line_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["extract", "a", "--colour"])
    assert "unrecognized arguments: --colour" in capsys.readouterr().err


def test_help_of_diff_says_that_patterns_hold_for_both_sides() -> None:
    shown = run("diff", "--help").stdout
    assert "only these tables of A and B" in shown
    assert "not these tables of A and B" in shown


def test_help_says_how_to_hide_a_password_and_what_the_statuses_mean() -> None:
    done = run("diff", "--help")
    assert done.returncode == 0
    assert "env:NAME" in done.stdout
    assert "3 = breaking" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["drop", "x"], ["diff", "a"]])
def test_a_wrong_command_line_has_the_status_of_a_failure(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: twd-schema")


def test_a_reader_that_has_seen_enough_is_no_failure(services: Any) -> None:
    done = run_unread("-m", "twd_schema.command", "ddl", services.source("pagila"))
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", ["diff", "ddl"])
def test_output_that_cannot_be_written_is_a_failure_of_one_line(stored: str, command: str) -> None:
    operands = [stored] * (2 if command == "diff" else 1)
    arguments = [sys.executable, "-m", "twd_schema.command", command, *operands]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_sqlite_file_is_read_by_its_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("create table orders (id integer primary key)")
    monkeypatch.chdir(tmp_path)
    assert main(["extract", "sqlite:///shop.db"]) == 0
    assert "sqlite does not tell: comments" in capsys.readouterr().out


def test_the_text_of_ddl_rebuilds_a_sqlite_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = tmp_path / "one.db", tmp_path / "other.db"
    with closing(sqlite3.connect(one)) as connection:
        connection.executescript(
            "create table orders (id integer primary key, total numeric(10, 2) default (0));"
            "create view v as select id from orders -- the end\n;"
            "create view w as select id from orders;"
        )
    assert main(["ddl", f"sqlite:///{one}"]) == 0
    with closing(sqlite3.connect(other)) as connection:
        connection.executescript(capsys.readouterr().out)
    assert main(["diff", f"sqlite:///{one}", f"sqlite:///{other}"]) == 0
