"""Readings of one source host: never more at once than allowed, over processes that may die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from twd_shared import settings
from twd_shared.clients.catalog import Connection
from twd_shared.errors import MetadataUnavailable, SourceBusy, TransientError
from twd_shared.sources.access import SourceAccess
from twd_shared.store import host_readings
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.host_readings import HostReadings

# A process of its own: takes a place as a run does, says so, and reads until it is killed.
HOLDER = """
import asyncio, sys, time
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.host_readings import HostReadings
readings = HostReadings(MetadataDatabase(sys.argv[1]), 1, 5)
asyncio.run(readings.take("connection 1", sys.argv[2]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def metadata_dsn(services: Any) -> str:
    """A database without tables, as places need none; each test gives back what it took."""
    return services.database()


@pytest.fixture
def host(request: pytest.FixtureRequest) -> str:
    """A host of this test's own: places of the test before are given back in a moment."""
    return f"{request.node.name}.example.com:5432"


@pytest.fixture
def others(metadata_dsn: str) -> Iterator[MetadataDatabase]:
    """The metadata database as another process has it: with sessions of its own."""
    made = MetadataDatabase(metadata_dsn)
    yield made
    made.close()


def source(dsn: str, db_type: str = "postgresql") -> Connection:
    return Connection("7", "shop", db_type, True, dsn)


async def is_free(readings: HostReadings, host: str) -> bool:
    try:
        place = await readings.take("connection 9", host)
    except SourceBusy:
        return False
    place.give_back()
    return True


@contextlib.contextmanager
def hanging_sessions(others: MetadataDatabase) -> Iterator[None]:
    """Every other session of the metadata database stands still."""
    with others.begin() as transaction:
        found = transaction.execute(
            sa.text(
                "select pid from pg_stat_activity where datname = current_database()"
                " and pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
        ).scalars()
        pids = list(found)
    try:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def test_never_more_read_a_host_at_once_than_may(
    host: str, database: MetadataDatabase, others: MetadataDatabase
) -> None:
    processes = [HostReadings(database, 3, 30), HostReadings(others, 3, 30)]
    reading, most, are_three = 0, 0, asyncio.Event()

    async def read(readings: HostReadings) -> None:
        nonlocal reading, most
        place = await readings.take("connection 7", host)
        reading += 1
        most = max(most, reading)
        if reading == 3:
            are_three.set()
        await are_three.wait()
        # A fourth would come now.
        await asyncio.sleep(0.01)
        reading -= 1
        place.give_back()

    await asyncio.gather(*(read(processes[number % 2]) for number in range(9)))
    assert most == 3


async def test_as_many_read_at_once_as_a_setting_may_say(
    host: str, database: MetadataDatabase, others: MetadataDatabase
) -> None:
    rule = settings.SOURCE_HOST_READINGS.rule
    assert rule is not None
    most = max(number for number in range(1, 1_000) if rule.is_kept(str(number)))
    readings = HostReadings(database, most, 0)
    places = [await readings.take("connection 7", host) for _ in range(most)]
    assert not await is_free(HostReadings(others, most, 0), host)
    for place in places:
        place.give_back()
    assert await is_free(HostReadings(others, most, 30), host)


async def test_who_reads_another_host_does_not_wait(
    host: str, database: MetadataDatabase, others: MetadataDatabase
) -> None:
    held = await HostReadings(database, 1, 0).take("connection 7", host)
    busy = HostReadings(others, 1, 0)
    assert not await is_free(busy, host)
    assert await is_free(busy, host + "3")
    held.give_back()


async def test_a_process_that_is_killed_frees_its_place_at_once(
    metadata_dsn: str, host: str, database: MetadataDatabase
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, metadata_dsn, host], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not await is_free(HostReadings(database, 1, 0), host)
        holder.kill()
        killed = time.monotonic()
        assert await is_free(HostReadings(database, 1, 30), host)
        assert time.monotonic() - killed < 10


async def test_waiting_ends_with_who_is_busy_and_what_to_change(
    host: str, database: MetadataDatabase, others: MetadataDatabase
) -> None:
    held = await HostReadings(database, 1, 0).take("connection 7", host)
    with pytest.raises(SourceBusy) as caught:
        await HostReadings(others, 1, 0.2).take("connection 8 (shop)", host)
    held.give_back()
    assert isinstance(caught.value, TransientError), "the step is tried again"
    assert str(caught.value) == (
        f"connection 8 (shop) has to wait: 1 readings of {host} are going on, as many as there may "
        "be at once, and none ended within 0.2 s. It is tried again. If that server can bear more "
        "readers, raise TWD_SOURCE_HOST_READINGS."
    )


async def test_who_waits_gets_the_place_that_is_given_back(
    host: str, database: MetadataDatabase, others: MetadataDatabase
) -> None:
    held = await HostReadings(database, 1, 0).take("connection 7", host)
    waiting = asyncio.create_task(is_free(HostReadings(others, 1, 30), host))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    held.give_back()
    assert await waiting


async def test_a_reading_that_is_cut_off_while_it_waits_holds_nothing(
    host: str, database: MetadataDatabase, others: MetadataDatabase
) -> None:
    # Again and again, so that it is cut off before, within and after the statement.
    readings = HostReadings(database, 1, 30)
    for step in range(20):
        taking = asyncio.create_task(readings.take("connection 7", host))
        await asyncio.sleep(step / 4000)
        was_done = taking.done()
        taking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            (await taking).give_back()
        assert was_done or taking.cancelled()
    assert await is_free(HostReadings(others, 1, 1), host)


async def test_a_place_that_is_given_back_twice_does_not_free_that_of_another(
    host: str, database: MetadataDatabase, others: MetadataDatabase
) -> None:
    readings = HostReadings(database, 2, 0)
    first, second = [await readings.take("connection 7", host) for _ in range(2)]
    first.give_back()
    first.give_back()
    again = await readings.take("connection 8", host)
    first.give_back()
    # Behind it, as all is done in order.
    (await readings.take("connection 8", host + "0")).give_back()
    assert not await is_free(HostReadings(others, 2, 0), host)
    second.give_back()
    again.give_back()


async def test_a_session_that_the_server_ended_is_told_and_then_replaced(
    host: str, database: MetadataDatabase, others: MetadataDatabase
) -> None:
    readings = HostReadings(database, 2, 0)
    lost = await readings.take("connection 7", host)
    with others.begin() as transaction:
        transaction.execute(
            sa.text(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where"
                " datname = current_database() and pid <> pg_backend_pid()"
            )
        )
    with pytest.raises(MetadataUnavailable, match="session that counts readings"):
        await readings.take("connection 8", host)
    assert await is_free(readings, host)
    lost.give_back()


async def test_a_metadata_database_that_hangs_is_told_as_itself_and_holds_up_nobody(
    host: str,
    database: MetadataDatabase,
    others: MetadataDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readings = HostReadings(database, 2, 30)
    held = await readings.take("connection 7", host)
    with hanging_sessions(others), monkeypatch.context() as patched:
        patched.setattr(host_readings, "_ANSWER_SECONDS", 0.3)
        with pytest.raises(SourceBusy) as caught:
            await readings.take("connection 8 (shop)", host)
        held.give_back()
    assert str(caught.value) == (
        f"connection 8 (shop) has to wait: the metadata database at {database.place}, by which "
        f"readings of {host} are counted, did not answer within 0.3 s. It is tried again. If that "
        "goes on, look at the load of the metadata database."
    )
    elsewhere = HostReadings(others, 2, 30)
    both = [await elsewhere.take("connection 9", host) for _ in range(2)]
    for place in both:
        place.give_back()


async def test_a_metadata_database_that_accepts_no_session_is_told_as_unavailable(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_readings, "_ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        database = MetadataDatabase(f"postgresql://u:canary@{address}/metadata")
        with pytest.raises(MetadataUnavailable, match=f"{address}/metadata did not accept"):
            await HostReadings(database, 2, 30).take("connection 7", host)


async def test_no_session_stays_open_when_nothing_is_read(
    host: str, database: MetadataDatabase, others: MetadataDatabase
) -> None:
    def locks() -> int:
        with others.begin() as transaction:
            return transaction.execute(
                sa.text(
                    "select count(*) from pg_locks where locktype = 'advisory' and database ="
                    " (select oid from pg_database where datname = current_database())"
                )
            ).scalar_one()

    async def are_held(count: int) -> bool:
        deadline = time.monotonic() + 10
        while locks() != count and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return locks() == count

    readings = HostReadings(database, 4, 0)
    places = [await readings.take("connection 7", host) for _ in range(4)]
    assert await are_held(4)
    for place in places:
        place.give_back()
    assert await are_held(0)


@pytest.fixture
async def busy(others: MetadataDatabase, metadata_dsn: str) -> AsyncIterator[None]:
    """The one place of the metadata database's own server, as a source, is held elsewhere."""
    url = sa.make_url(metadata_dsn)
    held = await HostReadings(others, 1, 30).take("connection 1", f"{url.host}:{url.port}")
    yield
    held.give_back()


def access_with_one_place(
    database: MetadataDatabase, files: str = "", patience: float = 0
) -> SourceAccess:
    return SourceAccess.configured(
        "postgresql,sqlite", "loopback", files, 5, HostReadings(database, 1, patience)
    )


async def test_nobody_gets_the_address_of_a_source_whose_host_is_busy(
    database: MetadataDatabase, metadata_dsn: str, busy: None
) -> None:
    with pytest.raises(SourceBusy) as caught:
        async with access_with_one_place(database).reading(source(metadata_dsn)):
            pass
    password = sa.make_url(metadata_dsn).password
    assert password
    assert password not in str(caught.value)


async def test_a_file_has_no_host_and_takes_no_place(
    database: MetadataDatabase, tmp_path: Path, busy: None
) -> None:
    access = access_with_one_place(database, str(tmp_path))
    connection = source(f"sqlite:///{tmp_path}/shop.db", "sqlite")
    async with access.reading(connection), access.reading(connection) as reading:
        assert reading.address.database == f"{tmp_path}/shop.db"


async def test_a_thread_that_reads_on_keeps_the_place_until_it_ends(
    database: MetadataDatabase, others: MetadataDatabase, metadata_dsn: str
) -> None:
    access, url = access_with_one_place(database, patience=30), sa.make_url(metadata_dsn)
    elsewhere, host = HostReadings(others, 1, 0), f"{url.host}:{url.port}"
    ended = threading.Event()
    with contextlib.suppress(TimeoutError):
        async with access.reading(source(metadata_dsn), within=2) as reading:
            await reading.in_thread(lambda: ended.wait(20))
    assert not await is_free(elsewhere, host), "the driver cannot be interrupted"
    ended.set()
    assert await is_free(HostReadings(others, 1, 30), host)


async def test_what_a_place_is_waited_for_is_not_the_time_of_its_source(
    database: MetadataDatabase, others: MetadataDatabase, metadata_dsn: str
) -> None:
    url = sa.make_url(metadata_dsn)
    held = await HostReadings(others, 1, 30).take("connection 1", f"{url.host}:{url.port}")
    access = access_with_one_place(database, patience=30)

    async def read() -> float:
        async with access.reading(source(metadata_dsn), within=1):
            return time.monotonic()

    reading = asyncio.create_task(read())
    await asyncio.sleep(1.5)
    freed = time.monotonic()
    held.give_back()
    assert await reading > freed


@pytest.mark.parametrize(("within", "seconds"), [(2, 2), (60, 5), (None, 5)])
async def test_no_statement_is_given_longer_than_its_reading(
    database: MetadataDatabase, metadata_dsn: str, within: float | None, seconds: float
) -> None:
    # The server keeps to it where it cannot be told that its reader was cut off.
    async with access_with_one_place(database).reading(source(metadata_dsn), within) as reading:
        assert reading.limits.statement_seconds == seconds
