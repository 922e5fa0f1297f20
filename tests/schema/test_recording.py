"""Recording a reading: no deletion is believed that is not proven, on a real PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from twd_schema.extraction.reading import SchemaReader
from twd_schema.history.recording import DropPolicy, Recording, SnapshotRecorder
from twd_shared.clients.catalog import Connection
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.errors import SourceRefused, SourceUnavailable, TwdError
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.schema_model.models import Snapshot
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

TABLES = [f"t{number}" for number in range(10)]


class Shop:
    """A source of ten tables, the history of it, and the waits between two readings."""

    def __init__(self, dsn: str, metadata_dsn: str, execute: Callable[..., None]) -> None:
        self.dsn = dsn
        self.execute = lambda *statements: execute(dsn, *statements)
        store = MetadataStoreResource(dsn=metadata_dsn)
        self.close = store.database.close
        self.snapshots, self._registry = store.snapshots, store.connections
        self._registry.register([self.connection()])
        self.waits: list[float] = []
        self.meanwhile: tuple[str, ...] = ()

    def connection(self, dsn: str | None = None, **options: Any) -> Connection:
        extraction = ExtractionOptions(**options)
        return Connection("7", "shop", "postgresql", True, dsn or self.dsn, extraction)

    def record(
        self, connection: Connection | None = None, limits: ReadLimits | None = None
    ) -> Recording:
        reader = SchemaReader(
            frozenset({"postgresql"}), limits or ReadLimits(), reach_policy("loopback", "")
        )
        policy = DropPolicy(share=0.3, confirm_seconds=12, wait=self._wait)
        recorder = SnapshotRecorder(reader, self.snapshots, self._registry, policy)
        return recorder.record(connection or self.connection())

    def drop(self, *tables: str) -> None:
        self.execute(f"drop table {', '.join(tables)}")

    @property
    def stored(self) -> tuple[int, Snapshot]:
        version, snapshot = self.snapshots.load_newest("7")
        return version.version, snapshot

    @property
    def stored_tables(self) -> list[str]:
        return [table.name for table in self.stored[1].tables]

    @property
    def status(self) -> tuple[str, str]:
        [known] = self._registry.known()
        return known.status, known.status_reason

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.execute(*self.meanwhile)


@pytest.fixture
def shop(services: Any, metadata_dsn: str, execute: Callable[..., None]) -> Iterator[Shop]:
    """The shop, once recorded."""
    made = Shop(services.database(), metadata_dsn, execute)
    made.execute(*(f"create table {name} (id int primary key)" for name in TABLES))
    made.record()
    yield made
    made.close()


def test_a_recording_says_what_it_took(shop: Shop) -> None:
    recording = shop.record()
    assert 0 < recording.read_seconds < 30
    assert 0 < recording.statements <= 12
    assert shop.status == ("ok", "")


def test_routines_of_a_hundred_arguments_are_recorded_by_names_that_can_be_kept(
    shop: Shop,
) -> None:
    types = [uuid.uuid4().hex for _ in range(99)]
    names = ", ".join(f'"{name}"' for name in types)
    shop.execute(
        *(f"create type \"{name}\" as enum ('a')" for name in types),
        *(
            f"create function chosen({names}, {last}) returns int language sql as 'select 1'"
            for last in ("int", "text")
        ),
        f"create view uses as select chosen({'null, ' * 99}1) as one, chosen({'null, ' * 99}'')",
    )
    first = shop.record()
    keys = [key for key in first.saved.added if key[0] == "routine"]
    assert [len(name) < 300 for _, _, name in keys] == [True, True]
    endings = {one.arguments.rpartition(", ")[2] for one in shop.stored[1].routines}
    assert endings == {"integer", "text"}
    [uses] = [table for table in shop.stored[1].tables if table.name == "uses"]
    assert set(keys) <= set(uses.depends_on)
    assert not shop.record().saved.modified


def test_a_small_drop_is_believed_at_once(shop: Shop) -> None:
    shop.drop("t0", "t1")
    recording = shop.record()
    assert shop.waits == []
    assert recording.dropped_tables == ()
    assert shop.stored_tables == TABLES[2:]


def test_a_large_drop_is_believed_after_one_more_reading(shop: Shop) -> None:
    shop.drop("t0", "t1", "t2", "t3")
    recording = shop.record()
    assert shop.waits == [12]
    assert recording.dropped_tables == ("public.t0", "public.t1", "public.t2", "public.t3")
    assert shop.stored_tables == TABLES[4:]
    assert shop.status == ("ok", "")


def test_a_believed_drop_is_told_once(shop: Shop) -> None:
    shop.drop("t0", "t1", "t2", "t3")
    shop.record()
    assert shop.record().dropped_tables == ()
    assert shop.waits == [12]


def test_a_reading_that_a_newer_one_overtakes_is_made_again_and_removes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = SchemaReader.read
    overtaken: list[Recording] = []

    def overtaken_once(
        self: SchemaReader, connection: Connection, on_statement: Callable[[str], None] | None
    ) -> Snapshot:
        snapshot = read(self, connection, on_statement)
        if not overtaken:
            monkeypatch.setattr(SchemaReader, "read", read)
            shop.execute("create table newest (id int)")
            overtaken.append(shop.record())
        return snapshot

    monkeypatch.setattr(SchemaReader, "read", overtaken_once)
    recording = shop.record()
    assert overtaken[0].saved.added == (("table", "public", "newest"),)
    assert recording.saved.removed == ()
    assert (shop.stored[0], "newest" in shop.stored_tables) == (2, True)
    assert shop.status == ("ok", "")


def test_a_source_that_other_runs_save_all_the_time_is_read_again_later(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = SchemaReader.read
    saved: list[int] = []

    def overtaken(
        self: SchemaReader, connection: Connection, on_statement: Callable[[str], None] | None
    ) -> Snapshot:
        snapshot = read(self, connection, on_statement)
        shop.execute(f"create table newest_{len(saved)} (id int)")
        with monkeypatch.context() as alone:
            alone.setattr(SchemaReader, "read", read)
            saved.append(shop.record().saved.version.version)
        return snapshot

    monkeypatch.setattr(SchemaReader, "read", overtaken)
    with pytest.raises(SourceUnavailable, match=r"connection 7 \(shop\) was read by other runs"):
        shop.record()
    assert (saved, shop.stored[0]) == ([2, 3, 4], 4)


def test_a_drop_that_is_undone_meanwhile_removes_nothing(shop: Shop) -> None:
    shop.drop("t0", "t1", "t2", "t3")
    shop.meanwhile = tuple(f"create table {name} (id int primary key)" for name in TABLES[:4])
    recording = shop.record()
    assert (recording.dropped_tables, recording.saved.removed) == ((), ())
    assert shop.stored[0] == 1


def test_a_drop_that_goes_on_records_nothing_and_says_so(shop: Shop) -> None:
    before = shop.stored
    shop.drop("t0", "t1", "t2", "t3")
    shop.meanwhile = ("drop table t4",)
    with pytest.raises(SourceUnavailable, match="It is being changed; nothing was recorded"):
        shop.record()
    assert shop.stored == before
    assert shop.status[0] == "failing"


def test_a_second_reading_that_fails_records_nothing(shop: Shop) -> None:
    before = shop.stored
    shop.drop("t0", "t1", "t2", "t3")
    role = _role(shop, "connect")
    shop.meanwhile = (f"revoke connect on database {_database(shop)} from {role}, public",)
    with pytest.raises(SourceRefused):
        shop.record(shop.connection(_as(shop, role)))
    assert shop.stored == before


def test_a_table_that_is_renamed_is_one_gone_and_one_new(shop: Shop) -> None:
    shop.execute("alter table t0 rename to t99")
    saved = shop.record().saved
    assert ("table", "public", "t0") in saved.removed
    assert ("table", "public", "t99") in saved.added


def test_what_the_options_leave_out_is_confirmed_like_a_drop(shop: Shop) -> None:
    recording = shop.record(shop.connection(include=("public.t9",)))
    assert len(recording.dropped_tables) == 9
    assert shop.waits == [12]


@pytest.mark.parametrize("failure", ["slow", "revoked", "gone", "dropped", "empty"])
def test_a_reading_that_fails_leaves_the_history_and_marks_the_connection(
    shop: Shop, services: Any, execute: Callable[..., None], failure: str
) -> None:
    before = shop.stored
    connection, limits, held = shop.connection(), ReadLimits(), ExitStack()
    if failure == "slow":
        limits = ReadLimits(statement_seconds=0.05)
        cursor = held.enter_context(closing(psycopg2.connect(shop.dsn))).cursor()
        cursor.execute("lock table pg_catalog.pg_enum in access exclusive mode")
    elif failure == "revoked":
        role = _role(shop, "connect")
        shop.execute(f"revoke connect on database {_database(shop)} from {role}, public")
        connection = shop.connection(_as(shop, role))
    elif failure == "gone":
        connection = shop.connection("postgresql://u:canary-9f2c@127.0.0.1:1/shop")
    elif failure == "dropped":
        execute(services.postgres, f"drop database {_database(shop)}")
    else:
        shop.execute("drop schema public cascade")
    with held, pytest.raises(TwdError) as raised:
        shop.record(connection, limits)
    assert shop.stored == before
    assert shop.status == ("failing", str(raised.value))
    assert "canary" not in str(raised.value)


def test_a_connection_that_works_again_is_no_longer_failing(shop: Shop) -> None:
    with pytest.raises(SourceUnavailable):
        shop.record(shop.connection("postgresql://127.0.0.1:1/shop"))
    shop.record()
    assert shop.status == ("ok", "")


def _database(shop: Shop) -> str:
    name = sa.make_url(shop.dsn).database
    assert name is not None
    return name


def _role(shop: Shop, grant: str) -> str:
    role = f"r_{uuid.uuid4().hex[:8]}"
    shop.execute(
        f"create role {role} login password '{role}'",
        f"grant {grant} on database {_database(shop)} to {role}",
    )
    return role


def _as(shop: Shop, role: str) -> str:
    url = sa.make_url(shop.dsn).set(username=role, password=role)
    return url.render_as_string(hide_password=False)
