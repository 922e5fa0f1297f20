"""Reading a server that has made so many transactions that their ids have come round."""

from __future__ import annotations

from collections.abc import Callable

import psycopg2

from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection

from .own_server import OwnServer

# Each is less than what a server may make before it freezes; the ids begin a page of its log.
_JUMPS = (45_776 * 32_768, 91_552 * 32_768)


def test_rows_that_were_frozen_two_billion_transactions_ago_were_not_written_meanwhile(
    own_server: OwnServer, reader: SchemaReader, execute: Callable[..., None]
) -> None:
    with own_server.running() as dsn:
        execute(dsn, "create table shops (id int primary key, kind text default 'a')")
        execute(dsn, "update pg_database set datallowconn = true")
    for transaction in _JUMPS:
        own_server.jump(transaction)
        with own_server.running() as dsn:
            for name in ("postgres", "template0", "template1"):
                execute(dsn.removesuffix("postgres") + name, "vacuum freeze")
    with own_server.running() as dsn:
        connection = psycopg2.connect(dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute("select age(xmin) < 0 from pg_class where relname = 'shops'")
            assert cursor.fetchone() == (True,)
        connection.close()
        snapshot = reader.read(Connection("7", "shop", "postgresql", True, dsn))
    assert [table.name for table in snapshot.tables] == ["shops"]
