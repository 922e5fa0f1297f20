"""A source that cannot be read: the right error, with its place and a remedy, and no secret."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from twd_schema.extraction.reading import SchemaReader
from twd_shared.errors import EmptySchema, SourceRefused, SourceUnavailable, TwdError
from twd_shared.sources import postgresql as session
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

CANARY = "canary-4b1d"


@pytest.fixture(scope="module")
def source(services: Any, execute: Callable[..., None]) -> sa.URL:
    dsn = services.database()
    execute(dsn, "create type mood as enum ('x')", "create table customers (mood mood)")
    return sa.make_url(dsn)


def text(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


def failure(
    connection: Any, limits: ReadLimits | None = None, dialects: str = "postgresql mysql sqlite"
) -> TwdError:
    policy = reach_policy("public,private,loopback", "/")
    reader = SchemaReader(frozenset(dialects.split()), limits or ReadLimits(), policy)
    with pytest.raises(TwdError) as raised:
        reader.read(connection)
    assert "connection 7 (shop)" in str(raised.value)
    assert CANARY not in str(raised.value)
    # Dagster stores the whole chain of a failure; a driver's own error may repeat a secret.
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    return raised.value


@pytest.mark.parametrize(
    "change", [{"password": CANARY}, {"username": "nobody", "password": CANARY}, {"password": ""}]
)
def test_a_wrong_password_or_user_is_refused(
    source: sa.URL, connection_to: Any, change: dict[str, str]
) -> None:
    error = failure(connection_to(text(source.set(**change))))
    assert isinstance(error, SourceRefused)
    assert "Correct the connection in the application" in str(error)


def test_a_refusal_without_encryption_says_that_it_may_be_wanted(
    source: sa.URL, connection_to: Any
) -> None:
    wrong = source.set(password=CANARY)
    hint = "or not with sslmode=disable"
    assert hint in str(failure(connection_to(text(wrong.set(query={"sslmode": "disable"})))))
    assert hint not in str(failure(connection_to(text(wrong))))


def test_a_role_that_has_all_its_connections_is_told_where_to_look(
    source: sa.URL, connection_to: Any, execute: Callable[..., None]
) -> None:
    execute(text(source), f"create role busy login password '{CANARY}' connection limit 0")
    error = failure(connection_to(text(source.set(username="busy", password=CANARY))))
    assert isinstance(error, SourceUnavailable)
    assert "no connection left for user 'busy'. Look at CONNECTION LIMIT" in str(error)


def test_a_database_that_is_not_there_is_named(source: sa.URL, connection_to: Any) -> None:
    error = failure(connection_to(text(source.set(database="nope"))))
    assert isinstance(error, SourceRefused)
    assert "there is no database 'nope'" in str(error)


def test_a_role_that_may_not_connect_is_told_what_to_be_granted(
    source: sa.URL, services: Any, connection_to: Any, execute: Callable[..., None]
) -> None:
    closed = sa.make_url(services.database())
    execute(
        text(closed),
        f'revoke connect on database "{closed.database}" from public',
        f"create role outsider login password '{CANARY}'",
    )
    error = failure(connection_to(text(closed.set(username="outsider", password=CANARY))))
    assert isinstance(error, SourceRefused)
    assert "Grant it CONNECT" in str(error)


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_a_port_where_nobody_listens_is_named(connection_to: Any, dialect: str) -> None:
    error = failure(connection_to(f"{dialect}://u:{CANARY}@127.0.0.1:9/shop", dialect))
    assert isinstance(error, SourceUnavailable)
    assert "127.0.0.1:9/shop cannot be reached" in str(error)


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_a_host_that_does_not_exist_is_named(connection_to: Any, dialect: str) -> None:
    error = failure(connection_to(f"{dialect}://u:{CANARY}@no-such-host.invalid/shop", dialect))
    assert isinstance(error, SourceUnavailable)
    assert "no-such-host.invalid/shop" in str(error)


@pytest.fixture(params=["says nothing", "hangs up", "speaks HTTP"])
def strange_server(request: pytest.FixtureRequest) -> Iterator[int]:
    """A TCP server that accepts and then does not do what a database does."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if request.param == "says nothing":
                kept.append(client)
                continue
            if request.param == "speaks HTTP":
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            client.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for client in kept:
        client.close()


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_a_server_that_is_no_database_is_given_up_in_time(
    strange_server: int, connection_to: Any, dialect: str
) -> None:
    started = time.monotonic()
    error = failure(
        connection_to(f"{dialect}://u:{CANARY}@127.0.0.1:{strange_server}/shop", dialect),
        ReadLimits(connect_seconds=1, statement_seconds=1),
    )
    assert isinstance(error, SourceUnavailable)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        pytest.param(ReadLimits(lock_seconds=0.3), "holds locks", id="locks"),
        pytest.param(
            ReadLimits(1, statement_seconds=1, lock_seconds=30), "did not answer in time", id="all"
        ),
        pytest.param(ReadLimits(statement_seconds=0.05), "did not answer in time", id="statement"),
    ],
)
def test_a_reading_that_has_to_wait_too_long_is_given_up(
    source: sa.URL, connection_to: Any, limits: ReadLimits, told: str
) -> None:
    with closing(psycopg2.connect(text(source))) as session, session.cursor() as cursor:
        cursor.execute("lock table pg_catalog.pg_enum in access exclusive mode")
        started = time.monotonic()
        error = failure(connection_to(text(source)), limits)
        assert time.monotonic() - started < 15
        session.rollback()
    assert isinstance(error, SourceUnavailable)
    assert told in str(error)


def test_a_database_that_is_not_text_in_its_encoding_is_refused(
    services: Any, connection_to: Any, execute: Callable[..., None]
) -> None:
    admin = sa.make_url(services.postgres)
    execute(
        services.postgres,
        "create database ascii_only encoding 'SQL_ASCII' template template0 locale 'C'",
    )
    with closing(
        psycopg2.connect(text(admin.set(database="ascii_only")), client_encoding="SQL_ASCII")
    ) as session:
        session.autocommit = True
        session.cursor().execute(b'create table "caf\xe9" (id int)')
    error = failure(connection_to(text(admin.set(database="ascii_only"))))
    assert isinstance(error, SourceRefused)
    assert "UTF8" in str(error)


def test_a_database_without_tables_is_no_reading(services: Any, connection_to: Any) -> None:
    error = failure(connection_to(services.database()))
    assert isinstance(error, EmptySchema)
    assert "What was known of it is kept" in str(error)


def test_a_server_of_an_old_release_is_told_which_one_is_needed(
    source: sa.URL, connection_to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_OLDEST_RELEASE", 99)
    error = failure(connection_to(text(source)))
    assert isinstance(error, SourceRefused)
    assert "99 is the oldest release that is read" in str(error)
