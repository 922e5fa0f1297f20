"""The sample application: API and sample data over a real PostgreSQL and real sample databases."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import psycopg2
import pytest

from twd_local import postgres, sources
from twd_local.application import catalog, messages, outcomes, seed, tables
from twd_local.application.questions import CORPORA

pytestmark = pytest.mark.integration
PATH = "/text-to-data/connections"
READER, PASSWORD = "app_reader", "s3cret/p@ss"
TODAY = date(2026, 1, 20)


@dataclass(frozen=True)
class Stand:
    """The running application: its API, its database, its sources' server, its log."""

    api: httpx.Client
    dsn: str
    admin_dsn: str
    log: Path

    def source_dsn(self, database: str) -> str:
        return sources.with_login(sources.with_database(self.admin_dsn, database), READER, PASSWORD)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with tables.session(self.dsn) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("application")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log"
    with postgres.start_postgres(folder / "data", password="admin-Pa55") as server:
        admin_dsn = server.dsn("postgres")
        postgres.ensure_database(admin_dsn, "application")
        dsn = server.dsn("application")
        sources.ensure_reader_role(admin_dsn, READER, PASSWORD)
        with ThreadPoolExecutor(3) as pool:
            assert all(
                pool.map(lambda name: sources.load_source(admin_dsn, name, READER), sources.SOURCES)
            )
        command = [sys.executable, "-m", "twd_local.application", "--port", str(port)]
        environment = {**os.environ, tables.ADMIN_DSN_VARIABLE: dsn}
        with (
            log.open("wb") as out,
            subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process,
            httpx.Client(base_url=f"http://127.0.0.1:{port}") as api,
        ):
            try:
                wait_healthy(api, process)
                yield Stand(api, dsn, admin_dsn, log)
            finally:
                process.terminate()
                process.wait(10)
    shutil.rmtree(server.locations.data_dir.parent)  # may lie outside the test's own folder


def wait_healthy(api: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            api.get("/healthz", timeout=1).raise_for_status()
            return
        except httpx.HTTPError:
            assert process.poll() is None, "the application ended"
            assert time.monotonic() < deadline, "the application did not answer in time"
            time.sleep(0.05)


@pytest.fixture
def api(stand: Stand) -> Iterator[httpx.Client]:
    """The API with an empty catalog before and after."""

    def clear() -> None:
        with tables.session(stand.dsn) as connection, connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE database_connections, conversations, messages, training_data, "
                "sample_data_days RESTART IDENTITY CASCADE"
            )

    clear()
    yield stand.api
    clear()


def connection_body(name: str = "shop", **changes: object) -> dict[str, object]:
    return {
        "database_name": name,
        "connection_string": f"postgresql://u:top-s3cret@db/{name}",
        "db_type": "postgresql",
        **changes,
    }


def test_connection_is_registered_once_and_listed_since_an_id(api: httpx.Client) -> None:
    first = api.post(PATH, json=connection_body(description="Cửa hàng"))
    assert first.status_code == 201
    again = api.post(PATH, json=connection_body())
    assert (again.status_code, again.json()) == (200, first.json())
    second = api.post(PATH, json=connection_body("kho-hàng")).json()

    assert api.get(PATH).json() == {"connections": [first.json(), second]}
    listed = api.get(PATH, params={"since_id": first.json()["id"]}).json()["connections"]
    assert [row["database_name"] for row in listed] == ["kho-hàng"]
    assert {"id", "database_name", "connection_string", "db_type", "is_active"} <= set(listed[0])
    assert second["id"] == first.json()["id"] + 1
    assert api.get(PATH, params={"since_id": 10**30}).json() == {"connections": []}
    assert len(api.get(PATH, params={"since_id": -5}).json()["connections"]) == 2


@pytest.mark.parametrize("kept", ["secret:shop", "fernet:gAAAAABrDIYhy2ZApE2I"])
def test_what_stands_for_a_connection_string_is_taken_as_one(api: httpx.Client, kept: str) -> None:
    answer = api.post(PATH, json=connection_body(connection_string=kept))
    assert (answer.status_code, answer.json()["connection_string"]) == (201, kept)


def test_equal_requests_at_once_make_one_connection(api: httpx.Client) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api.post(PATH, json=connection_body()), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_connection_is_changed_and_removed(api: httpx.Client) -> None:
    made = api.post(PATH, json=connection_body()).json()
    other = api.post(PATH, json=connection_body("other")).json()
    at = f"{PATH}/{made['id']}"
    assert api.patch(at, json={"is_active": False}).json() == made | {"is_active": False}
    renamed = api.patch(at, json={"database_name": "store", "is_active": True}).json()
    assert renamed == made | {"database_name": "store"}
    clash = {k: other[k] for k in ("database_name", "connection_string")}
    assert api.patch(at, json=clash).status_code == 409
    assert api.patch(at, json={}).status_code == 422
    assert api.delete(at).status_code == 204
    for gone in (api.delete(at), api.patch(at, json={"is_active": True})):
        assert gone.status_code == 404
        assert str(made["id"]) in gone.json()["detail"]
    assert api.patch(f"{PATH}/{10**20}", json={"is_active": True}).status_code == 404


def test_extraction_options_are_kept_changed_and_taken_back(api: httpx.Client) -> None:
    options = {"exclude": ["audit.*"], "samples": True}
    made = api.post(PATH, json=connection_body(extraction=options)).json()
    assert made["extraction"] == options
    at = f"{PATH}/{made['id']}"
    assert api.patch(at, json={"extraction": {"include": ["shop"]}}).status_code == 200
    assert api.get(PATH).json()["connections"][0]["extraction"] == {"include": ["shop"]}
    assert api.patch(at, json={"extraction": None}).json()["extraction"] is None


def test_a_table_made_before_extraction_options_gets_them(application_dsn: str) -> None:
    with tables.session(application_dsn) as connection, connection.cursor() as cursor:
        tables.create_tables(connection)
        cursor.execute("ALTER TABLE database_connections DROP COLUMN extraction")
    with tables.session(application_dsn) as connection:
        tables.create_tables(connection)
        tables.create_tables(connection)
        assert catalog.listed(connection) == []


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "valid JSON"),
        (b"\xff\xfe", "valid JSON"),
        (b"[]", "JSON object"),
        (json.dumps(connection_body("")).encode(), "database_name"),
        (json.dumps(connection_body(connection_string=7)).encode(), "connection_string"),
        (json.dumps(connection_body(connection_string="just words")).encode(), "look like"),
        (
            json.dumps(connection_body(connection_string="pg://u:top-s3cret@h:x/d")).encode(),
            "look like",
        ),
        (json.dumps(connection_body(is_active="yes")).encode(), "is_active"),
        (json.dumps(connection_body(colour="red")).encode(), "colour"),
        (json.dumps(connection_body(extraction="audit")).encode(), "must be an object"),
        (json.dumps(connection_body(extraction={"skip": 1})).encode(), "unknown field `skip`"),
        (json.dumps(connection_body(extraction={"include": ["a.b.c"]})).encode(), "no table pat"),
        (json.dumps(connection_body("a\x00b")).encode(), "control character"),
        (json.dumps(connection_body("\ud800")).encode(), "database_name"),
        (json.dumps(connection_body("x" * 201)).encode(), "longer"),
        (b'{"database_name": "shop"}', "missing"),
    ],
)
def test_bad_connections_are_refused_in_words(api: httpx.Client, body: bytes, word: str) -> None:
    answer = api.post(PATH, content=body)
    assert answer.status_code == 422
    assert word in answer.json()["detail"]
    assert "top-s3cret" not in answer.text
    assert api.get(PATH).json() == {"connections": []}


def test_bad_cursor_is_refused(api: httpx.Client) -> None:
    assert api.get(PATH, params={"since_id": "last"}).status_code == 422


def test_log_holds_no_connection_string(api: httpx.Client, stand: Stand) -> None:
    api.post(PATH, json=connection_body())
    api.post(PATH, json=connection_body(connection_string="pg://u:top-s3cret@h:x/d"))
    logged = stand.log.read_text()
    assert "s3cret" not in logged
    assert "admin-Pa55" not in logged


def test_lost_database_is_503_and_heals(api: httpx.Client, stand: Stand) -> None:
    with psycopg2.connect(stand.admin_dsn) as admin, admin.cursor() as cursor:
        cursor.execute("ALTER DATABASE application ALLOW_CONNECTIONS false")
        admin.commit()
        try:
            lost = api.get(PATH)
        finally:
            cursor.execute("ALTER DATABASE application ALLOW_CONNECTIONS true")
            admin.commit()
    admin.close()
    assert lost.status_code == 503
    assert "not available" in lost.json()["detail"]
    assert api.get("/healthz").status_code == 200


def test_every_sample_question_runs_and_every_error_is_the_databases_own(stand: Stand) -> None:
    for name, corpus in CORPORA.items():
        observed = outcomes.observe(corpus, stand.source_dsn(name))
        assert len(observed) == 20
        assert any(q.vietnamese for q in corpus.questions)
        for question, variants in observed.items():
            answered = variants[outcomes.ANSWERED]
            assert answered.error is None, question.english
            assert answered.result is not None
            assert len(answered.result) < 2000
            for kind, words in {
                outcomes.SYNTAX_ERROR: "syntax error",
                outcomes.UNKNOWN_COLUMN: "column",
                outcomes.UNKNOWN_TABLE: "relation",
            }.items():
                error = variants[kind].error
                assert error is not None, question.english
                assert words in error
        empty = [v for v in observed.values() if '"row_count": 0' in (v["answered"].result or "")]
        assert empty
        with psycopg2.connect(stand.source_dsn(name)) as source, source.cursor() as cursor:
            for question in corpus.taught:
                cursor.execute(question.sql)
                assert cursor.fetchall(), question.english
        source.close()


def test_seed_fills_the_missing_days_once(api: httpx.Client, stand: Stand) -> None:
    assert seed.seed(stand.dsn, TODAY).databases == ()
    ids = {
        name: api.post(
            PATH, json=connection_body(name, connection_string=stand.source_dsn(name))
        ).json()["id"]
        for name in CORPORA
    }
    done = seed.seed(stand.dsn, TODAY, connections=ids)
    assert done.databases == ("chinook", "northwind", "pagila")
    assert done.days == 19
    assert 19 * 15 < done.messages < 19 * 60
    assert seed.seed(stand.dsn, TODAY) == seed.Seeded(done.databases, 0, 0, 0, 0)
    assert stand.rows("SELECT count(*) FROM messages") == [(done.messages,)]
    assert stand.rows("SELECT count(*) FROM conversations") == [(done.conversations,)]
    next_day = seed.seed(stand.dsn, TODAY + timedelta(days=1))
    assert (next_day.days, next_day.training_items) == (1, 0)
    assert next_day.messages > 0
    assert stand.rows(
        "SELECT count(DISTINCT (created_at AT TIME ZONE 'UTC')::date) FROM messages"
    ) == [(20,)]
    per_kind = stand.rows(
        "SELECT kind, count(*) >= 30, count(DISTINCT connection_id) "
        "FROM training_data GROUP BY kind ORDER BY kind"
    )
    assert per_kind == [("documentation", False, 3), ("question_sql", True, 3)]
    # Every answer says either what came out or what went wrong, and users write no SQL.
    wrong = (
        "SELECT count(*) FROM messages WHERE (role = 'user' AND (sql_query IS NOT NULL "
        "OR error IS NOT NULL OR latency_ms IS NOT NULL)) OR (role = 'assistant' AND "
        "(latency_ms IS NULL OR (sql_query IS NOT NULL) <> "
        "((error IS NULL) <> (query_result IS NULL))))"
    )
    assert stand.rows(wrong) == [(0,)]
    assert stand.rows("SELECT DISTINCT connection_id FROM messages ORDER BY 1") == [
        *((number,) for number in sorted(ids.values())),
        (None,),
    ]
    accents = "SELECT count(*) > 0 FROM messages WHERE content LIKE '%khách hàng%'"
    assert stand.rows(accents) == [(True,)]


def test_seed_tells_which_source_is_down_and_writes_nothing(
    api: httpx.Client, stand: Stand
) -> None:
    api.post(PATH, json=connection_body("pagila", connection_string="postgresql://u@127.0.0.1:9/x"))
    environment = {**os.environ, tables.ADMIN_DSN_VARIABLE: stand.dsn}
    command = [sys.executable, "-m", "twd_local.application.seed", "--today", "2026-01-05"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "'pagila' cannot be read" in done.stderr
    assert "Traceback" not in done.stderr
    assert stand.rows("SELECT count(*) FROM training_data") == [(0,)]


def test_missing_dsn_ends_with_a_remedy() -> None:
    environment = {k: v for k, v in os.environ.items() if k != tables.ADMIN_DSN_VARIABLE}
    command = [sys.executable, "-m", "twd_local.application", "--port", "1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert tables.ADMIN_DSN_VARIABLE in done.stderr


def test_traffic_repeats_with_its_seed_and_has_its_shape() -> None:
    known = {
        name: {
            question: {
                kind: outcomes.Outcome(kind)
                for kind in (
                    outcomes.ANSWERED,
                    outcomes.SYNTAX_ERROR,
                    outcomes.UNKNOWN_COLUMN,
                    outcomes.UNKNOWN_TABLE,
                    outcomes.TIMEOUT,
                    outcomes.NO_SQL,
                )
            }
            for question in corpus.questions
        }
        for name, corpus in CORPORA.items()
    }

    def day(when: date, random_seed: int = 1) -> list[messages.SampleConversation]:
        return list(
            messages.conversations_of_day(when, known, messages_per_day=400, seed=random_seed)
        )

    def written(talks: list[messages.SampleConversation]) -> int:
        return sum(len(talk.messages) for talk in talks)

    monday, sunday = date(2026, 3, 2), date(2026, 3, 8)
    assert day(monday) == day(monday)
    assert day(monday) != day(monday, random_seed=2)
    assert written(day(monday)) > 2 * written(day(sunday))
    times = [m.created_at for talk in day(monday) for m in talk.messages]
    late = {monday, monday + timedelta(days=1)}  # a conversation may pass midnight
    assert monday in {at.astimezone(UTC).date() for at in times} <= late
    assert all(isinstance(at, datetime) and at.tzinfo is UTC for at in times)
    answers = [m for talk in day(monday) for m in talk.messages if m.outcome is not None]
    good = sum(m.outcome is not None and m.outcome.kind == outcomes.ANSWERED for m in answers)
    assert 0.7 < good / len(answers) < 0.97
