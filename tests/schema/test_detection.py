"""Asking many sources at once: none of them can hold up or spoil the answers of the others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from twd_schema.drift.detection import Answer, DetectionLimits, Detector
from twd_schema.drift.marks import mark_of
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.schema_model.fingerprint import object_fingerprints, snapshot_fingerprint
from twd_shared.schema_model.models import Column, Sequence, Snapshot, Table
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy
from twd_shared.store.source_checks import Freshness, SourceCheck

GOOD = Connection("1", "good", "postgresql", True, "postgresql://u:canary@h/good")
BAD = Connection("2", "bad", "mysql", True, "mysql://u:canary@h/bad")

EMPTY = Snapshot(dialect="mysql", database_name="good", server_version="11")


class Reader(SchemaReader):
    """Reads one source well; what the other does, a test says."""

    def __init__(self) -> None:
        super().__init__(frozenset(), ReadLimits())
        self.release = threading.Event()
        self.error: Exception | None = None

    async def signal_async(self, connection: Connection, within: float | None = None) -> str:
        return ""

    async def read_async(
        self, connection: Connection, on_statement: Any = None, within: float | None = None
    ) -> Snapshot:
        if connection == BAD:
            if self.error:
                raise self.error
            async with asyncio.timeout(within):
                await asyncio.to_thread(self.release.wait, 20)
        return Snapshot(dialect="postgresql", database_name="good", server_version="18")


@pytest.fixture
def reader() -> Reader:
    return Reader()


def ask(
    reader: SchemaReader, *connections: Connection, newest: Snapshot = EMPTY, **limits: float
) -> dict[str, Answer]:
    detector = Detector(reader, lambda _: newest, "secret", DetectionLimits(**limits))  # pyright: ignore[reportArgumentType]
    return detector.ask(connections, {})


def test_a_driver_that_cannot_be_interrupted_does_not_outlast_the_budget(reader: Reader) -> None:
    begun = time.monotonic()
    answers = ask(reader, GOOD, BAD, budget_seconds=0.3)
    assert time.monotonic() - begun < 10
    reader.release.set()
    assert answers["1"].fingerprint is not None
    assert "2" not in answers, "nothing is said of what the end of the budget cut off"


def test_a_source_that_takes_too_long_is_told_apart_from_the_others(reader: Reader) -> None:
    answers = ask(reader, GOOD, BAD, reading_seconds=0.2)
    reader.release.set()
    assert answers["1"].fingerprint is not None
    assert "connection 2 (bad) gives no cheap signal" in answers["2"].error


def test_an_unforeseen_error_of_one_source_is_told_without_its_text(reader: Reader) -> None:
    reader.error = ValueError("mysql://u:canary@h/bad")
    answers = ask(reader, GOOD, BAD)
    assert answers["1"].fingerprint is not None
    assert "connection 2 (bad) could not be read (ValueError)" in answers["2"].error
    assert "canary" not in answers["2"].error


def test_a_dead_source_leaves_the_others_a_thread_when_its_time_is_over(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
        shop.execute("create table customers (id int)")
    well = Connection("2", "shop", "sqlite", True, f"sqlite:///{tmp_path}/shop.db")
    # A server that accepts and says nothing: its driver waits in a thread, which nothing can end.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        dead = Connection("1", "dead", "mysql", True, f"mysql://u:p@{place}/dead")
        reader = SchemaReader(
            frozenset({"mysql", "sqlite"}),
            ReadLimits(connect_seconds=60),
            reach_policy("loopback", str(tmp_path)),
        )
        answers = ask(reader, dead, well, at_once=1, reading_seconds=3)
    assert (answers["1"].fingerprint, answers["2"].error) == (None, "")


class Shown(SchemaReader):
    """Reads one snapshot, whatever it is asked for; a test counts how often.

    The first ones that are asked wait for each other until so many are asked `together`.
    """

    def __init__(self, snapshot: Snapshot, signal: str = "", together: int = 1) -> None:
        super().__init__(frozenset(), ReadLimits())
        self.snapshot, self.signal, self.together = snapshot, signal, together
        self.are_together = asyncio.Event()
        self.read_by: list[str] = []
        self.asked: list[str] = []
        self.most_at_once = self._at_once = 0

    async def signal_async(self, connection: Connection, within: float | None = None) -> str:
        self.asked.append(connection.connection_id)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        if self._at_once == self.together:
            self.are_together.set()
        await self.are_together.wait()
        # One too many would come now.
        await asyncio.sleep(0.02)
        self._at_once -= 1
        return self.signal

    async def read_async(
        self, connection: Connection, on_statement: Any = None, within: float | None = None
    ) -> Snapshot:
        self.read_by.append(connection.connection_id)
        return self.snapshot


def check_of(answer: Answer, freshness: Freshness = "fresh", asked_at: Any = None) -> SourceCheck:
    return SourceCheck("1", answer.mark, answer.fingerprint or "", freshness, asked_at=asked_at)


def test_a_source_whose_signal_is_as_it_was_is_not_read_again() -> None:
    shown = Shown(EMPTY, "quiet")
    detector = Detector(shown, lambda _: EMPTY, "secret")
    first = detector.ask([GOOD], {})["1"]
    assert detector.ask([GOOD], {"1": check_of(first)})["1"] == first
    assert shown.read_by == ["1"]


@pytest.mark.parametrize(
    "now",
    [
        replace(GOOD, connection_string="postgresql://u:canary@elsewhere/good"),
        replace(GOOD, extraction=ExtractionOptions(exclude=("audit",))),
    ],
    ids=["another address", "other extraction options"],
)
def test_what_is_read_another_way_is_read_again_whatever_its_signal(now: Connection) -> None:
    shown = Shown(EMPTY, "quiet")
    detector = Detector(shown, lambda _: EMPTY, "secret")
    first = detector.ask([GOOD], {})["1"]
    detector.ask([now], {"1": check_of(first)})
    assert shown.read_by == ["1", "1"]


def test_a_mark_holds_nothing_of_the_connection_string() -> None:
    mark = mark_of("signal", GOOD, "secret")
    assert mark != mark_of("signal", GOOD, "another secret")
    assert "canary" not in mark


def test_a_changed_source_that_is_too_large_for_a_tick_has_changed_for_all_one_knows(
    reader: Reader,
) -> None:
    slow = Slow(EMPTY, "changed")
    [answer] = ask(slow, GOOD, reading_seconds=0.1).values()
    assert (answer.fingerprint, answer.error) == (None, "")
    assert answer.mark


class Slow(Shown):
    """Answers its signal at once, and its schema never."""

    async def read_async(
        self, connection: Connection, on_statement: Any = None, within: float | None = None
    ) -> Snapshot:
        async with asyncio.timeout(within):
            await asyncio.sleep(60)
        return self.snapshot


def fleet(count: int, hosts: int) -> list[Connection]:
    return [
        Connection(str(n), f"db{n}", "postgresql", True, f"postgresql://u:p@h{n % hosts}/db{n}")
        for n in range(count)
    ]


def test_a_fleet_is_asked_at_once_but_not_all_of_it() -> None:
    shown = Shown(EMPTY, "quiet", together=16)
    ask(shown, *fleet(60, hosts=20), at_once=16)
    assert shown.most_at_once == 16


def test_no_host_is_asked_by_all_at_once() -> None:
    shown = Shown(EMPTY, "quiet", together=3)
    ask(shown, *fleet(30, hosts=1), at_once=16, at_once_per_host=3)
    assert shown.most_at_once == 3


def test_what_one_budget_does_not_reach_is_asked_first_with_the_next() -> None:
    class Tiring(Shown):
        async def signal_async(self, connection: Connection, within: float | None = None) -> str:
            if len(self.asked) == 4:
                await asyncio.sleep(60)
            return await super().signal_async(connection, within)

    tiring, sources = Tiring(EMPTY, "quiet"), fleet(8, hosts=8)
    limits = DetectionLimits(at_once=2, budget_seconds=2)
    first = Detector(tiring, lambda _: EMPTY, "secret", limits).ask(sources, {})
    assert len(first) == 4, "the rest says nothing, rather than something wrong"
    known = {key: check_of(answer, asked_at=datetime.now(UTC)) for key, answer in first.items()}
    shown = Shown(EMPTY, "quiet")
    Detector(shown, lambda _: EMPTY, "secret", limits).ask(sources, known)
    assert known.keys().isdisjoint(shown.asked[:4])


def test_sources_that_were_unreadable_do_not_take_the_places_of_the_others() -> None:
    class Dead(Shown):
        async def signal_async(self, connection: Connection, within: float | None = None) -> str:
            if int(connection.connection_id) < 20:
                await asyncio.sleep(60)
            return await super().signal_async(connection, within)

    sources = fleet(40, hosts=40)
    known = {str(n): SourceCheck(str(n), "", "", "unreadable", "dead") for n in range(20)}
    detector = Detector(
        Dead(EMPTY, "quiet"),
        lambda _: EMPTY,
        "secret",
        DetectionLimits(at_once=8, unreadable_at_once=2, budget_seconds=3),
    )
    answers = detector.ask(sources, known)
    assert sum(answer.fingerprint is not None for answer in answers.values()) == 20


def test_unreadable_databases_of_a_host_do_not_keep_its_others_from_being_asked() -> None:
    class Dead(Shown):
        async def signal_async(self, connection: Connection, within: float | None = None) -> str:
            if connection.connection_id != "well":
                await asyncio.sleep(60)
            return await super().signal_async(connection, within)

    sources = [
        *(replace(one, connection_string="postgresql://u:p@one/db") for one in fleet(12, hosts=1)),
        *(replace(one, connection_id=f"far{one.connection_id}") for one in fleet(20, hosts=20)),
        Connection("well", "well", "postgresql", True, "postgresql://u:p@one/well"),
    ]
    known = {
        one.connection_id: SourceCheck(one.connection_id, "", "", "unreadable", "dead")
        for one in sources
        if one.connection_id != "well"
    }
    limits = DetectionLimits(at_once_per_host=8, unreadable_at_once=4, budget_seconds=3)
    answers = Detector(Dead(EMPTY, "quiet"), lambda _: EMPTY, "secret", limits).ask(sources, known)
    assert answers.keys() == {"well"}


def test_what_a_role_is_no_longer_shown_is_no_drift() -> None:
    known = Table(
        schema="shop", name="orders", kind="table", columns=(Column(name="id", type="int"),)
    )
    seen = Table(schema="shop", name="customers", kind="table")
    before = msgspec.structs.replace(EMPTY, tables=(seen, known))
    shown = Shown(msgspec.structs.replace(EMPTY, tables=(seen,), granted=(("shop", "customers"),)))
    [answer] = ask(shown, GOOD, newest=before).values()
    assert answer.fingerprint == snapshot_fingerprint(object_fingerprints(before))


def test_a_view_that_the_server_cannot_open_is_no_drift() -> None:
    seen, broken = (Table(schema="shop", name=name, kind="table") for name in ("a", "b"))
    before = msgspec.structs.replace(EMPTY, tables=(seen, broken))
    shown = Shown(msgspec.structs.replace(EMPTY, tables=(seen,), unread=(("shop", "b"),)))
    [answer] = ask(shown, GOOD, newest=before).values()
    assert answer.fingerprint == snapshot_fingerprint(object_fingerprints(before))


def test_a_kind_that_a_reading_can_no_longer_tell_is_no_drift() -> None:
    number = Sequence(
        schema="shop", name="numbers", type="bigint", start=1, increment=1, minimum=1, maximum=9
    )
    before = msgspec.structs.replace(EMPTY, sequences=(number,))
    shown = Shown(msgspec.structs.replace(EMPTY, unknown=("sequences",)))
    [answer] = ask(shown, GOOD, newest=before).values()
    assert answer.fingerprint == snapshot_fingerprint(object_fingerprints(before))
