"""Whether DDL can be replayed: on real servers, which are left as they were."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from twd_schema.extraction.reading import SchemaReader
from twd_schema.history import replay
from twd_schema.history.recording import DropPolicy, Recording, SnapshotRecorder
from twd_schema.history.replay import (
    ddl_problems,
    parse_errors,
    replay_error,
    sqlite_replay_error,
)
from twd_shared.errors import MetadataUnavailable
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.schema_model.ddl import schema_script, table_statements
from twd_shared.schema_model.models import Snapshot

OF_LIBPQ = "?connect_timeout=5&keepalives_idle=30&gssencmode=disable&channel_binding=prefer"
Execute = Callable[..., None]
CANARY = "canary-9f2c"
DEAD = f"postgresql://u:{CANARY}@127.0.0.1:1/x"
HOSTILE = """
create type "Mood; --" as enum ('sad''s', E'new\\nline');
create domain "dömain" as text check (value <> ';');
create function "f""1"(int) returns int immutable language sql as $$ select $1; $$;
create table "line
break" ("a""b" "Mood; --", "select" "dömain" default '''; drop table x; --', "🙂" int,
        check ("🙂" <> 1 and "select" <> 'CREATE MATERIALIZED VIEW'));
comment on table "line
break" is E'$$ ; \\\\ \\n''';
create index "i;" on "line
break" ("f""1"("🙂"));
create materialized view "m v" as select "select" as "WITH NO DATA" from "line
break";
create view plain as select 1 as "a;b";
create table logs (at date) partition by range (at);
create table logs_1 partition of logs for values from ('2024-01-01') to ('2024-02-01');
"""


@pytest.fixture
def empty(services: Any) -> str:
    """An empty database of any role's."""
    return services.database()


@pytest.fixture
def scratch(services: Any, execute: Execute) -> str:
    """An empty database that a plain role owns."""
    url = sa.make_url(services.database())
    role = f"r_{uuid.uuid4().hex[:8]}"
    execute(
        services.postgres,
        f"create role {role} login password '{role}'",
        f"alter database {url.database} owner to {role}",
    )
    return url.set(username=role, password=role).render_as_string(hide_password=False)


@pytest.fixture
def hostile(services: Any, execute: Execute, reader: SchemaReader, connection_to: Any) -> Snapshot:
    """The snapshot of a database of hostile names and texts."""
    dsn = services.database()
    execute(dsn, HOSTILE)
    return reader.read(connection_to(dsn))


def objects_in(dsn: str) -> int:
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select (select count(*) from pg_class where oid >= 16384)"
            " + (select count(*) from pg_type where oid >= 16384)"
            " + (select count(*) from pg_proc where oid >= 16384)"
        )
        row = cursor.fetchone()
    connection.close()
    assert row is not None
    return row[0]


def all_statements(snapshot: Snapshot) -> list[str]:
    return [text for table in snapshot.relations for text in table_statements(table)]


def test_all_statements_of_pagila_parse(
    services: Any, reader: SchemaReader, connection_to: Any, empty: str
) -> None:
    pagila = reader.read(connection_to(services.source("pagila")))
    assert parse_errors(empty, all_statements(pagila)) == []


def test_statements_of_hostile_names_and_texts_parse(hostile: Snapshot, empty: str) -> None:
    assert parse_errors(empty, [*all_statements(hostile), *schema_script(hostile)]) == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t (a int",
        "CREATE TABLE t (a int) nonsense",
        "CREATE TABLE select (a int)",
        'CREATE TABLE "t (a int)',
        "CREATE TABLE t (a int); DROP TABLE t",
        "CREATE MATERIALIZED VIEW v AS\nselect from where\nWITH NO DATA",
    ],
)
def test_a_broken_statement_is_found_and_quoted(empty: str, statement: str) -> None:
    [error] = parse_errors(empty, ["CREATE TABLE good ()", statement, "CREATE TABLE better ()"])
    assert error.isprintable()
    assert " ".join(statement.split()) in error


def test_an_error_quotes_only_the_start_of_a_long_statement(empty: str) -> None:
    [error] = parse_errors(empty, ["CREATE TABLE t (" + "a int, " * 1000 + "nonsense"])
    assert len(error) < 300


def test_very_many_broken_statements_are_not_all_told(empty: str) -> None:
    assert len(parse_errors(empty, ["nonsense"] * 100)) == 20


def test_parsing_leaves_nothing_behind(empty: str, hostile: Snapshot) -> None:
    before = objects_in(empty)
    parse_errors(empty, [*all_statements(hostile), "DROP SCHEMA public CASCADE"])
    assert objects_in(empty) == before


def test_addresses_may_hold_what_only_libpq_understands(empty: str, scratch: str) -> None:
    assert parse_errors(empty + OF_LIBPQ, ["CREATE TABLE t ()"]) == []
    assert replay_error(scratch + OF_LIBPQ, ["CREATE TABLE t (a int)"]) is None


def test_a_parser_that_is_not_reached_is_an_error_without_its_password() -> None:
    with pytest.raises(MetadataUnavailable, match=r"127\.0\.0\.1:1/x") as raised:
        parse_errors(DEAD, ["CREATE TABLE t ()"])
    assert CANARY not in str(raised.value)


def test_a_parser_that_goes_away_is_no_fault_of_the_statement(empty: str, execute: Execute) -> None:
    def statements() -> Any:
        yield "CREATE TABLE one ()"
        execute(
            empty,
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()",
        )
        yield "CREATE TABLE two ()"

    with pytest.raises(MetadataUnavailable):
        parse_errors(empty, statements())


def test_a_schema_that_replays_leaves_the_scratch_database_as_it_was(scratch: str) -> None:
    before = objects_in(scratch)
    assert replay_error(scratch, ["CREATE TABLE t (a int)", "CREATE INDEX ON t (a)"]) is None
    assert objects_in(scratch) == before


def test_a_statement_that_does_not_run_is_told_and_taken_back(scratch: str) -> None:
    before = objects_in(scratch)
    error = replay_error(scratch, ["CREATE TABLE t (a int)", "CREATE INDEX ON t (b)"])
    assert error is not None
    assert 'column "b" does not exist' in error
    assert "CREATE INDEX ON t (b)" in error
    assert objects_in(scratch) == before


def test_a_second_statement_cannot_hide_in_a_string(scratch: str) -> None:
    before = objects_in(scratch)
    assert replay_error(scratch, ["CREATE TABLE t (a int)", "COMMENT ON TABLE t IS ''; COMMIT"])
    assert objects_in(scratch) == before


def test_an_occupied_scratch_database_is_refused_and_kept(scratch: str, execute: Execute) -> None:
    execute(scratch, "create table mine (a int)")
    error = replay_error(scratch, ["CREATE TABLE t ()"])
    assert error is not None
    assert "holds 1 relations" in error
    execute(scratch, "select a from mine")


def test_a_superuser_replays_nothing_as_functions_of_a_source_would_run(empty: str) -> None:
    error = replay_error(empty, ["CREATE TABLE t ()"])
    assert error is not None
    assert "a plain role that owns the database" in error


def test_a_role_that_may_run_programs_replays_nothing(
    scratch: str, services: Any, execute: Execute
) -> None:
    execute(
        services.postgres, f"grant pg_execute_server_program to {sa.make_url(scratch).username}"
    )
    error = replay_error(scratch, ["CREATE TABLE t ()"])
    assert error is not None
    assert "programs" in error


def test_a_scratch_database_that_is_not_reached_is_told_without_its_password() -> None:
    error = replay_error(DEAD, ["CREATE TABLE t ()"])
    assert error is not None
    assert "127.0.0.1:1/x is not available" in error
    assert CANARY not in error


def test_a_sqlite_schema_replays_in_memory() -> None:
    script = [
        'CREATE TABLE "a b" (id integer PRIMARY KEY)',
        'CREATE VIEW v AS select id from "a b"',
    ]
    assert sqlite_replay_error(script) is None


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE t (", "CREATE TABLE t (a); DROP TABLE t", "CREATE INDEX i ON no(a)"]
)
def test_a_sqlite_statement_that_does_not_run_is_told(statement: str) -> None:
    error = sqlite_replay_error(["CREATE TABLE one (a)", statement])
    assert error is not None
    assert statement in error


def endless(body: str) -> list[str]:
    """A script that has the server work for ever, if it lets it."""
    return [
        "CREATE FUNCTION f(int) RETURNS int LANGUAGE plpgsql IMMUTABLE"
        f" AS $$ begin {body} loop end loop; end $$",
        "CREATE TABLE t (a int)",
        "CREATE INDEX i ON t ((f(1) + a))",
    ]


def is_left_alone(dsn: str) -> bool:
    """Whether within five seconds no session but the one that asks is left."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for _ in range(50):
            cursor.execute(
                "select from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            if not cursor.rowcount:
                return True
            time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    "body",
    [
        "",
        "begin loop end loop; exception when query_canceled then end;",
    ],
    ids=["it never ends", "it does not let itself be cancelled"],
)
def test_a_function_that_never_ends_is_told_and_ended(
    scratch: str, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(replay, "_TIMEOUT_SECONDS", 1)
    error = replay_error(scratch, endless(body))
    assert error is not None
    assert "CREATE INDEX i ON t" in error
    assert "not available" not in error
    assert is_left_alone(scratch)


def test_a_script_that_takes_too_long_in_all_is_told_as_such(
    scratch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_LONGEST_REPLAY_SECONDS", 0.5)
    error = replay_error(scratch, ["SELECT pg_sleep(0.3)", "SELECT pg_sleep(60)"])
    assert error is not None
    assert "takes too long" in error
    assert error.endswith("SELECT pg_sleep(60)")
    assert is_left_alone(scratch)


@pytest.fixture
def recorded(
    services: Any,
    execute: Execute,
    metadata_dsn: str,
    reader: SchemaReader,
    connection_to: Any,
) -> Iterator[Callable[..., Recording]]:
    """Run statements on a source of hostile names and record it: recorded(statements…)."""
    dsn = services.database()
    execute(dsn, HOSTILE)
    store = MetadataStoreResource(dsn=metadata_dsn)
    store.connections.register([connection_to(dsn)])
    recorder = SnapshotRecorder(reader, store.snapshots, store.connections, DropPolicy())

    def record(*statements: str) -> Recording:
        execute(dsn, *statements)
        return recorder.record(connection_to(dsn))

    yield record
    store.database.close()


def test_what_was_recorded_is_parsed_and_replayed(
    recorded: Callable[..., Recording], metadata_dsn: str, scratch: str
) -> None:
    assert ddl_problems(recorded(), metadata_dsn, scratch) == []


def test_a_problem_of_the_scratch_database_is_told(
    recorded: Callable[..., Recording], metadata_dsn: str
) -> None:
    [problem] = ddl_problems(recorded(), metadata_dsn, DEAD)
    assert problem.startswith("The scratch database at 127.0.0.1:1/x is not available")


def test_nothing_is_looked_at_when_nothing_changed(recorded: Callable[..., Recording]) -> None:
    recorded()
    assert ddl_problems(recorded(), DEAD, DEAD) == []


def test_a_change_of_a_type_alone_is_looked_at(
    recorded: Callable[..., Recording], metadata_dsn: str
) -> None:
    recorded()
    changed = recorded("""alter type "Mood; --" add value 'new'""")
    assert ddl_problems(changed, metadata_dsn, "") == []
    with pytest.raises(MetadataUnavailable):
        ddl_problems(changed, DEAD, "")


def test_a_drop_alone_is_replayed(
    recorded: Callable[..., Recording], metadata_dsn: str, scratch: str
) -> None:
    recorded()
    dropped = recorded("drop view plain")
    assert ddl_problems(dropped, metadata_dsn, scratch) == []
    assert len(ddl_problems(dropped, metadata_dsn, DEAD)) == 1
