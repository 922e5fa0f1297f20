"""PostgreSQL's own grammar: what it refuses, what is sent to it, what is not run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twd_local.postgres import dsn_of, ensure_role, start_postgres
from twd_shared.errors import ConfigurationError, MetadataUnavailable
from twd_shared.sql.grammar import PostgresGrammar, blanked

TAKEN = [
    "select 1",
    "select nothing from nowhere where a = 'b'",
    "select * from a; select * from b;",
    "select 1; -- done",
    "drop table nowhere",
    "create table t (a varchar(20) default 'x'); insert into t values ('1')",
    "create function f() returns int begin atomic select 1; select 2; end",
    "create rule r as on insert to t do (delete from a; delete from b)",
    "select u&'!0061' uescape '!', e'\\'', b'01', x'1F', n'a', $q$ ; $q$",
    "select interval '1 day' day, 1.5e3, .5, 12, a[1:2], $1",
    "select 'a'\n'b'",
    "select t.c 'x' from t",
    "do $$ begin; end $$; call f('a;b')",
    "explain analyze delete from t",
    "vacuum",
    "begin; commit",
]
REFUSED = [
    "select from from",
    "select a b c from t",
    "select 1 from a join b",
    "selec 1",
    "select 1; selec 2",
    "select 1. This returns one row",
    "select 'a' 'b'",
    "select 1.5.3",
    "select 12abc",
    "select (1; select 2",
    "select 1)",
    "select `a` from t",
    "select a from t limit 1, 2",
    "select 'unterminated",
    "select 1 /* unterminated",
    "select \0",
    "select '\ud800'",
    "select U&'a' uescape 'ab'",
]


@pytest.fixture(scope="module")
def dsn(services: Any) -> str:
    """A PostgreSQL server to ask."""
    return services.postgres


@pytest.fixture(scope="module")
def grammar(dsn: str) -> Iterator[PostgresGrammar]:
    """An open session on it."""
    with PostgresGrammar(dsn) as opened:
        yield opened


@pytest.mark.parametrize("sql", TAKEN)
def test_what_is_sql_is_taken_whatever_it_names(grammar: PostgresGrammar, sql: str) -> None:
    assert grammar.refused([sql]) == set()


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_no_sql_is_refused(grammar: PostgresGrammar, sql: str) -> None:
    assert grammar.refused([sql]) == {0}


def test_places_are_those_of_the_texts(grammar: PostgresGrammar) -> None:
    assert grammar.refused(["select 1", "selec", "table x", "select ("]) == {1, 3}


@pytest.mark.parametrize(
    ("server_version", "refused"),
    [("99.1", set[int]()), ("9.6.24", {0}), ("", {0}), ("devel", {0})],
)
def test_of_a_newer_server_nothing_is_refused(
    grammar: PostgresGrammar, server_version: str, refused: set[int]
) -> None:
    assert grammar.refused(["selec"], server_version) == refused


def test_nothing_is_run_nor_left(grammar: PostgresGrammar, dsn: str) -> None:
    grammar.refused(
        [
            "create table left_behind (a int)",
            "select 1; create table left_behind (a int); commit",
            "begin; create table left_behind (a int); commit",
            "set search_path = public",
        ]
    )
    connection = psycopg2.connect(dsn)
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass('public.left_behind')")
        assert cursor.fetchone() == (None,)
    connection.close()
    assert grammar.refused(["selec"]) == {0}


def test_what_is_asked_is_no_error_in_the_log_of_a_server_that_allows_it(tmp_path: Path) -> None:
    with start_postgres(tmp_path / "data", password="admin-Pa55") as server:
        for role in ("allowed", "another"):
            ensure_role(server.dsn(), role, "role-Pa55")
        connection = psycopg2.connect(server.dsn())
        with connection, connection.cursor() as cursor:
            cursor.execute("grant set on parameter log_min_messages to allowed")
        connection.close()
        for role in ("allowed", "another"):
            dsn = dsn_of(server.port, "role-Pa55", role=role)
            with PostgresGrammar(dsn) as opened:
                assert opened.refused([f"select 1 from asked_by_{role}", "selec"]) == {1}
    log = (tmp_path / "data.log").read_text()
    assert "asked_by_allowed" not in log
    assert "asked_by_another" in log
    shutil.rmtree(server.locations.data_dir.parent)  # may lie outside the test's own folder


def test_only_names_and_words_are_sent() -> None:
    sent = blanked(
        "select 'secret', e'sec\\'ret', $$secret$$, x'5ec4e7', 4711, 0.5 -- secret\n"
        "from \"T\" /* secret */ where a=.5 and b='x'; explain select $1, 'secret'"
    )
    assert sent == [
        "select '', e'', $$$$, x'', 0, 0.0\nfrom \"x\" where a=.0 and b=''",
        "explain select $0, ''",
    ]


def test_an_address_may_hold_what_only_libpq_understands(dsn: str) -> None:
    with PostgresGrammar(
        f"{dsn}?connect_timeout=5&keepalives_idle=30&gssencmode=disable"
    ) as opened:
        assert opened.refused(["select 1", "select from from"]) == {1}


def test_a_server_that_is_not_there_is_told_by_its_place() -> None:
    unreached = PostgresGrammar("postgresql://user:secret@127.0.0.1:1/twd")
    with pytest.raises(MetadataUnavailable) as told, unreached:
        pass
    assert "127.0.0.1:1/twd" in str(told.value)
    assert "secret" not in str(told.value)


def test_a_server_that_goes_away_is_told(metadata_dsn: str) -> None:
    with PostgresGrammar(metadata_dsn) as opened:
        connection = psycopg2.connect(metadata_dsn)
        with connection.cursor() as cursor:
            cursor.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            assert cursor.fetchall()
        connection.close()
        with pytest.raises(MetadataUnavailable):
            opened.refused(["select 1"])


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(ConfigurationError):
        PostgresGrammar("mysql://x")


@given(st.text(alphabet=st.sampled_from("select';-/*$\"\\\n1.e") | st.characters()))
@settings(max_examples=200)
def test_no_text_raises(grammar: PostgresGrammar, text: str) -> None:
    assert grammar.refused([text]) <= {0}
