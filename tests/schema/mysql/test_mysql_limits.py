"""Servers that take too long or refuse: left in time, with the right error and no secret."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from twd_schema.extraction.dialects.mysql_catalog import MySQLCatalog
from twd_schema.extraction.reading import SchemaReader
from twd_shared.errors import SourceRefused, SourceUnavailable, TwdError
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

CANARY = "canary-9c2e"


def failure(connection: Any, limits: ReadLimits) -> TwdError:
    reader = SchemaReader(frozenset({"mysql"}), limits, reach_policy("loopback", ""))
    with pytest.raises(TwdError) as raised:
        reader.read(connection)
    assert "connection 7 (shop)" in str(raised.value)
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    return raised.value


@pytest.fixture
def dripping_server() -> Iterator[int]:
    """A server that promises a long greeting and sends a byte of it now and then."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            client, _ = listener.accept()
            with client:
                client.sendall(b"\xff\xff\x00\x00")
                while not ended.wait(0.05):
                    client.sendall(b"\x0a")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    ended.set()
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_a_server_that_answers_byte_by_byte_is_given_up_in_time(
    dripping_server: int, connection_to: Any
) -> None:
    started = time.monotonic()
    error = failure(
        connection_to(f"mysql://u:{CANARY}@127.0.0.1:{dripping_server}/shop", "mysql"),
        ReadLimits(connect_seconds=0.5, statement_seconds=0.5),
    )
    assert isinstance(error, SourceUnavailable)
    assert "did not answer in time" in str(error)
    assert time.monotonic() - started < 15


def test_a_server_that_accepts_and_says_nothing_is_given_up_when_connecting_takes_too_long(
    connection_to: Any,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        error = failure(
            connection_to(f"mysql://u:{CANARY}@127.0.0.1:{silent.getsockname()[1]}/shop", "mysql"),
            ReadLimits(connect_seconds=0.5, statement_seconds=60),
        )
    assert isinstance(error, SourceUnavailable)
    assert "did not answer in time" in str(error)
    assert str(error).endswith(" and that the port is that of a MySQL server.")
    assert time.monotonic() - started < 30


def test_a_statement_that_computes_too_long_is_ended_by_the_server(
    server: Any, connection_to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def computes_for_hours(catalog: MySQLCatalog, connection: Any, **options: Any) -> Any:
        return catalog.rows(
            connection,
            "with recursive n as (select 1 as i union all select i + 1 from n where i < 1000)"
            " select count(*) from n as a, n as b, n as c, n as d",
        )

    monkeypatch.setattr(MySQLCatalog, "get_multi_check_constraints", computes_for_hours)
    database = server.database("create table t (id int)")
    error = failure(connection_to(server.dsn(database), "mysql"), ReadLimits(statement_seconds=1))
    assert isinstance(error, SourceUnavailable)
    assert "did not answer in time" in str(error)
    assert str(error).endswith(" Check its load and the network.")


def test_a_wrong_password_is_refused(server: Any, connection_to: Any) -> None:
    dsn = f"mysql://root:{CANARY}@127.0.0.1:{server.port}/mysql"
    error = failure(connection_to(dsn, "mysql"), ReadLimits())
    assert isinstance(error, SourceRefused)
    assert "wrong password" in str(error)


def test_a_database_that_is_not_there_is_named(server: Any, connection_to: Any) -> None:
    error = failure(connection_to(server.dsn("nope"), "mysql"), ReadLimits())
    assert isinstance(error, SourceRefused)
    assert "there is no such database" in str(error)


def test_a_schema_that_changes_while_it_is_read_is_read_again(
    server: Any, connection_to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = server.database("create table a (id int); create table b (id int)")
    read_checks = MySQLCatalog.get_multi_check_constraints

    def meanwhile(catalog: MySQLCatalog, connection: Any, **options: Any) -> Any:
        server.execute(f"drop table {database}.b")
        return read_checks(catalog, connection, **options)

    monkeypatch.setattr(MySQLCatalog, "get_multi_check_constraints", meanwhile)
    error = failure(connection_to(server.dsn(database), "mysql"), ReadLimits())
    assert isinstance(error, SourceUnavailable)
    assert "was being changed, or had a table locked, while it was read" in str(error)


def is_waited_for(server: Any, database: str) -> bool:
    """Whether a statement waits for a lock in the database."""
    with closing(server.session()) as session, session.cursor() as cursor:
        cursor.execute(
            "select count(*) from information_schema.processlist"
            " where db = %s and state = 'Waiting for table metadata lock'",
            (database,),
        )
        [count] = cursor.fetchone()
    return count > 0


def test_a_table_that_is_locked_while_it_is_read_does_not_seem_dropped(
    server: Any, connection_to: Any
) -> None:
    if not server.is_mariadb:
        pytest.skip("MySQL opens no table to tell of it.")
    database = server.database(
        "create table a (id int); create table b (id int); create view v as select id from a",
        *(f"create view broken{n} as select id from b" for n in range(70)),
        "alter table b rename column id to other",
    )
    with closing(server.session(database=database)) as reading:
        reading.cursor().execute("start transaction; select * from b")
        # It has a locked, and waits for b.
        swap = threading.Thread(
            target=server.execute,
            args=("rename table a to c, b to d",),
            kwargs={"database": database},
        )
        swap.start()
        end = time.monotonic() + 20
        while not is_waited_for(server, database):
            assert time.monotonic() < end
            time.sleep(0.02)
        error = failure(connection_to(server.dsn(database), "mysql"), ReadLimits(lock_seconds=1))
    swap.join()
    assert isinstance(error, SourceUnavailable)
    assert "was being changed, or had a table locked, while it was read" in str(error)
