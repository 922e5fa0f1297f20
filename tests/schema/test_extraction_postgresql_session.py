"""What a reading of PostgreSQL sends over the wire, and what it does when the schema moves."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.errors import SourceRefused, SourceUnavailable
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

_CANCEL_REQUEST = struct.pack("!I", 80877102)


class WireTap:
    """A relay before PostgreSQL that notes what clients send; `before` sees each statement.

    Messages: https://www.postgresql.org/docs/current/protocol-message-formats.html
    """

    def __init__(self, server: sa.URL) -> None:
        self.settings: dict[str, str] = {}
        self.statements: list[str] = []
        self.before: Callable[[int], None] = lambda number: None
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # Closing alone would leave the thread waiting in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((self._server.host, self._server.port))
                # A question comes in parts, each of which would wait for word of the one before.
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._answers, args=(server, client), daemon=True).start()
                threading.Thread(target=self._requests, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError, struct.error), client, server, client.makefile("rb") as stream:
            head = stream.read(4)
            body = stream.read(struct.unpack("!I", head)[0] - 4)
            if body[:4] == _CANCEL_REQUEST:
                server.sendall(head + body)
                return
            texts = body[4:].rstrip(b"\0").decode().split("\0")
            self.settings = dict(zip(texts[::2], texts[1::2], strict=False))
            server.sendall(head + body)
            text = ""
            while kind := stream.read(1):
                head = stream.read(4)
                body = stream.read(struct.unpack("!I", head)[0] - 4)
                if kind in (b"P", b"Q"):
                    # A Parse has the name of the statement first.
                    text = body.split(b"\0")[1 if kind == b"P" else 0].decode()
                if kind in (b"E", b"Q"):
                    self.before(len(self.statements))
                    self.statements.append(text)
                server.sendall(kind + head + body)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)


@pytest.fixture
def source(services: Any, execute: Callable[..., None]) -> str:
    dsn = services.database()
    execute(
        dsn,
        "create table shops (id int primary key, kind text check (kind <> ''))",
        "create index shops_note_idx on shops (lower(kind)) with (fillfactor = 50)",
        "create schema s",
        "create type s.mood as enum ('ok')",
        "create sequence s.numbers",
        "create type s.place as (x int, y int)",
        "create type s.weather as enum ('dry')",
        "create domain s.forecast as s.weather",
        "create function s.rate() returns int language sql as 'select 1'",
        "create collation s.bytes (locale = 'C')",
        "create operator class s.words for type text using btree as operator 1 <, operator 2 <=,"
        " operator 3 =, operator 4 >=, operator 5 >, function 1 bttextcmp(text, text)",
        "create index by_words on shops (kind s.words)",
        "create text search configuration s.vietnamese (copy = simple)",
        "create index by_stems on shops using gin (to_tsvector('s.vietnamese', kind))",
        "create view open_shops as select id, kind from shops order by kind collate s.bytes",
        "create table s.moods (mood s.mood default 'ok', number int default nextval('s.numbers'),"
        " rate int default s.rate())",
    )
    return dsn


@pytest.fixture
def tap(source: str) -> Iterator[WireTap]:
    tap = WireTap(sa.make_url(source))
    yield tap
    tap.close()


@pytest.fixture
def read(tap: WireTap, reader: SchemaReader) -> Callable[..., Any]:
    """Read a database through the tap."""

    def run(dsn: str, **options: Any) -> Any:
        url = sa.make_url(dsn).set(port=tap.port, query={"sslmode": "disable"})
        text = url.render_as_string(hide_password=False)
        extraction = ExtractionOptions(**options)
        return reader.read(Connection("7", "shop", "postgresql", True, text, extraction))

    return run


def test_a_reading_takes_the_same_dozen_statements_whatever_the_size(
    tap: WireTap, read: Any, source: str, services: Any
) -> None:
    counts: list[int] = []
    for dsn, samples in ((source, False), (services.source("pagila"), False), (source, True)):
        tap.statements.clear()
        read(dsn, samples=samples)
        counts.append(len(tap.statements))
    assert counts == [9, 9, 10]


def test_a_reading_says_who_it_is_and_binds_itself(tap: WireTap, read: Any, source: str) -> None:
    read(source)
    expected = {
        "application_name": "twd-schema",
        "search_path": "",
        "default_transaction_read_only": "on",
        "statement_timeout": "60000",
        "lock_timeout": "100",
    }
    assert {name: tap.settings.get(name) for name in expected} == expected


def test_a_reading_is_one_transaction_that_only_reads(tap: WireTap, read: Any, source: str) -> None:
    read(source)
    # No other locale need be installed where tests run: so the setting is looked at here.
    assert tap.statements[0] == (
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lc_monetary = 'C'"
    )
    # After it, one look at what was written meanwhile.
    assert tap.statements[-2] == "COMMIT"
    words = {statement.split()[0].lower() for statement in tap.statements[1:-2]}
    assert words == {"select", "with"}


def test_a_renamed_column_is_renamed_in_all_that_names_it(
    tap: WireTap, read: Any, source: str, execute: Any
) -> None:
    # Each time before the relations are asked for, but after the transaction has its snapshot.
    change = "alter table shops rename kind to sort"
    tap.before = lambda number: execute(source, change) if number == 2 else None
    tables = {table.name: table for table in read(source).tables}
    assert [column.name for column in tables["shops"].columns] == ["id", "sort"]
    assert "sort AS kind" in tables["open_shops"].definition


def test_what_a_savepoint_renamed_is_seen_as_it_is_when_it_is_committed(
    tap: WireTap, read: Any, source: str, execute: Any
) -> None:
    # It is running when the snapshot is taken, and later ones have ended.
    migration = psycopg2.connect(source)
    with closing(migration), migration.cursor() as cursor:
        cursor.execute("create table log (id int)")
        cursor.execute("savepoint s")
        cursor.execute("alter table shops rename kind to sort")
        execute(source, "create table later (id int)")
        tap.before = lambda number: migration.commit() if number == 2 else None
        during = read(source)
    assert during == read(source)


def test_a_transaction_that_keeps_running_needs_no_second_reading(
    tap: WireTap, read: Any, source: str, execute: Any
) -> None:
    with closing(psycopg2.connect(source)) as running, running.cursor() as cursor:
        cursor.execute("create table log (id int)")
        execute(source, "alter table shops rename kind to sort")
        assert [table.name for table in read(source).tables] == ["open_shops", "shops", "moods"]
        assert len(tap.statements) == 9


@pytest.mark.parametrize(
    "change",
    [
        "drop view open_shops",
        "drop index shops_note_idx",
        "alter schema s rename to other",
        "alter type s.mood rename to feeling",
        "alter type s.mood rename value 'ok' to 'fine'",
        "alter index shops_note_idx rename to by_note",
        "alter function s.rate() rename to share",
        "alter sequence s.numbers rename to counter",
        "alter type s.place rename to spot",
        "alter type s.place rename attribute x to left_",
        "drop type s.weather cascade",
        "alter collation s.bytes rename to octets",
        "alter index shops_note_idx set (fillfactor = 60)",
        "alter operator class s.words using btree rename to terms",
        "alter text search configuration s.vietnamese rename to tieng_viet",
    ],
)
def test_what_is_renamed_or_dropped_during_a_reading_is_seen_as_it_is_then(
    tap: WireTap, read: Any, source: str, execute: Any, change: str
) -> None:
    tap.before = lambda number: execute(source, change) if number == 2 else None
    during = read(source)
    tap.before = lambda number: None
    assert during == read(source)


@pytest.mark.parametrize(
    "change",
    [
        "alter table shops drop constraint shops_kind_check",
        "create or replace view open_shops as select id, 'x'::text as kind from shops",
        "truncate shops",
        "vacuum full shops",
        "reindex table shops",
    ],
)
def test_what_leaves_all_names_alone_needs_no_second_reading(
    tap: WireTap, read: Any, source: str, execute: Any, change: str
) -> None:
    before = read(source)
    tap.statements.clear()
    tap.before = lambda number: execute(source, change) if number == 2 else None
    during = read(source)
    assert (during.tables, during.sequences) == (before.tables, before.sequences)
    assert len(tap.statements) == 9


def test_a_schema_that_never_rests_is_read_another_time(
    tap: WireTap, read: Any, source: str, execute: Any
) -> None:
    # Each time before the relations are asked for: later, the reading holds locks.
    tap.before = lambda number: (
        execute(source, f"alter table shops alter kind set default '{number}'")
        if tap.statements[-1:] and "pg_export_snapshot" in tap.statements[-1]
        else None
    )
    with pytest.raises(SourceUnavailable, match="changed its schema during each of 3 readings"):
        read(source)


def test_a_function_that_is_made_anew_all_the_time_is_told_as_a_change(
    tap: WireTap, read: Any, source: str, execute: Any
) -> None:
    anew = (
        "create function one() returns int language sql as 'select 1';"
        " alter table shops alter id set default one()"
    )
    execute(source, anew)
    tap.before = lambda number: (
        execute(source, f"drop function one() cascade; {anew}")
        if tap.statements[-1:] and "pg_export_snapshot" in tap.statements[-1]
        else None
    )
    # The server says XX000 then, as it does of a damaged catalog.
    with pytest.raises(SourceUnavailable, match=r"changed its schema during .* may be damaged"):
        read(source)


def test_tables_that_come_and_go_beside_a_reading_do_not_disturb_it(
    tap: WireTap, read: Any, source: str, execute: Any
) -> None:
    tap.before = lambda number: execute(
        source, f"create table staging_{number} (a int); drop table staging_{number}"
    )
    assert [table.name for table in read(source).tables] == ["open_shops", "shops", "moods"]
    assert len(tap.statements) == 9


def test_a_reader_that_is_lost_on_its_way_leaves_nothing_locked(tap: WireTap, source: str) -> None:
    is_over = threading.Event()
    # The server does not hear the COMMIT any more, and not even that the connection has ended.
    tap.before = lambda number: is_over.wait() if number == 7 else None
    url = sa.make_url(source).set(port=tap.port, query={"sslmode": "disable"})
    connection = Connection("7", "shop", "postgresql", True, url.render_as_string(False))
    limits = ReadLimits(connect_seconds=1, statement_seconds=1)
    reader = SchemaReader(frozenset({"postgresql"}), limits, reach_policy("loopback", ""))
    try:
        with pytest.raises(SourceUnavailable):
            reader.read(connection)
        with closing(psycopg2.connect(source, options="-c lock_timeout=10s")) as migration:
            migration.cursor().execute("alter table shops add phone text")
    finally:
        is_over.set()


def test_a_migration_that_locks_what_is_read_one_by_one_is_not_ended_for_a_deadlock(
    reader: SchemaReader, services: Any, execute: Any
) -> None:
    dsn = services.database()
    for name in ("earlier", "later"):
        execute(dsn, f"create table {name} (id int)", f"create view of_{name} as table {name}")
    connection = Connection("7", "shop", "postgresql", True, dsn)
    with ThreadPoolExecutor(1) as aside, closing(psycopg2.connect(dsn)) as migration:
        steps = migration.cursor()
        steps.execute("alter table later add done boolean")
        reading = aside.submit(reader.read, connection)
        # The server looks for a deadlock when a session has waited a second: the reading's turn,
        # were it still to wait, is over, and the next one is the migration's.
        time.sleep(1.5)
        steps.execute("alter table earlier add done boolean")
        migration.commit()
        tables = {table.name: len(table.columns) for table in reading.result().tables}
    assert (tables["earlier"], tables["later"]) == (2, 2)


@pytest.fixture(scope="module")
def large(services: Any, execute: Callable[..., None]) -> str:
    """A database whose catalogs are large enough for two sessions."""
    dsn = services.database()
    execute(
        dsn,
        "create table parent (id int primary key)",
        "do $$ begin for i in 1..1400 loop execute format("
        "'create table t%s (id int primary key references parent, note text check (note <> %L));"
        " create index on t%s (lower(note))', i, i, i); end loop; end $$",
        "vacuum analyze pg_class",
        "create role lonely login password 'nobody' connection limit 1",
    )
    return dsn


def test_large_catalogs_are_read_by_two_sessions_on_one_snapshot(
    services: Any, large: str, reader: SchemaReader
) -> None:
    url = sa.make_url(large)
    tap = WireTap(url)
    text = url.set(port=tap.port, query={"sslmode": "disable"})
    connection = Connection(
        "7",
        "shop",
        "postgresql",
        True,
        text.render_as_string(hide_password=False),
        extraction=ExtractionOptions(samples=True),
    )
    snapshot = reader.read(connection)
    tap.close()
    assert len(snapshot.tables) == 1401
    joins = [text for text in tap.statements if "; SET TRANSACTION SNAPSHOT" in text]
    assert len(joins) == 1
    # One of these messages has two statements in it.
    assert len(tap.statements) + len(joins) == 13


def test_where_a_second_session_is_refused_one_reads_the_same(
    large: str, reader: SchemaReader
) -> None:
    url = sa.make_url(large)
    readings: list[Any] = []
    for address in (url, url.set(username="lonely", password="nobody")):
        text = address.render_as_string(hide_password=False)
        readings.append(reader.read(Connection("7", "shop", "postgresql", True, text)))
    assert readings[0] == readings[1]


def test_a_server_that_cannot_encrypt_is_told_as_such_when_encryption_is_required(
    services: Any, reader: SchemaReader, connection_to: Callable[[str], Connection]
) -> None:
    connection = connection_to(f"{services.source('pagila')}?sslmode=require")
    with pytest.raises(SourceRefused, match="encrypted connection, which sslmode=require demands"):
        reader.read(connection)
