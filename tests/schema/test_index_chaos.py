"""Processes killed at every request they send: readers notice nothing, and the next run ends it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from twd_schema.indexing.migration import IndexMigration, MigrationOptions
from twd_schema.indexing.rollback import roll_back

from .index_shop import LARGE, SIX, SMALL, Shop, table, with_comment
from .index_worker import Worker
from .killing_proxy import KillingProxy, Moment
from .polling_reader import PollingReader
from .test_index_migration import configure, migrate

STABLE = [one.name for one in SIX[1:]]
OLD = SIX
# One table is gone, two are changed, two are new.
NEW = [
    with_comment(SIX[1], "bound"),
    with_comment(SIX[2], "large"),
    *SIX[3:],
    table("goats", "id"),
    table("hats", "id"),
]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


@pytest.fixture
def shop(resources: dict[str, Any]) -> Shop:
    return Shop(resources)


class Chaos:
    """Jobs whose every request goes through a proxy that can kill them."""

    def __init__(self, shop: Shop, worker: Worker, services: Any, dsn: str) -> None:
        self.proxy = KillingProxy(services.qdrant, services.ollama)
        self.reader = PollingReader(services.qdrant, services.ollama, shop.index.alias, STABLE)
        self._worker = worker
        qdrant, ollama = self.proxy.urls
        self._job = {"qdrant": qdrant, "ollama": ollama, "dsn": dsn, "alias": shop.index.alias}

    def kill(self, what: str, number: int, moment: Moment) -> None:
        """Let a child do the job and kill it at that request."""
        child = self._worker.begin(**self._job, what=what, model=LARGE)
        self.proxy.aim(child, number, moment)
        assert self._worker.end() == -signal.SIGKILL

    def kills(self, what: str, *, only_turning_points: bool = False) -> list[tuple[int, Moment]]:
        """Where to kill the job, which is done once for it: at every request, before it acts.

        And after it, where the request changes something; else that would be the same.
        """
        child = self._worker.begin(**self._job, what=what, model=LARGE)
        self.proxy.aim(child, 0, "before")
        assert self._worker.end() == 0
        every = set(range(1, len(self.proxy.requests) + 1))
        chosen = set(self.proxy.turning_points()) if only_turning_points else every
        assert len(chosen) > 10
        writes = chosen & set(self.proxy.writes())
        return [(n, "before") for n in sorted(chosen)] + [(n, "after") for n in sorted(writes)]

    def assert_readers_see_all(self) -> None:
        self.reader.look()
        assert self.reader.wrong == []


@pytest.fixture
def chaos(shop: Shop, worker: Worker, services: Any, metadata_dsn: str) -> Iterator[Chaos]:
    made = Chaos(shop, worker, services, metadata_dsn)
    yield made
    made.proxy.close()
    made.reader.close()


def test_a_publisher_that_is_killed_at_any_request_is_made_good_by_the_next(
    shop: Shop, chaos: Chaos
) -> None:
    shop.publish(*OLD)
    shop.read(*NEW)
    for number, moment in chaos.kills("publish"):
        shop.publish(*OLD)
        shop.read(*NEW)
        chaos.kill("publish", number, moment)
        chaos.assert_readers_see_all()
        written = shop.content_hashes()
        again = shop.publish(*NEW).points
        assert shop.held() == sorted(one.name for one in NEW)
        assert (again.expected, again.present, again.repaired) == (7, 7, 0)
        # Nothing that the killed run had written is embedded once more.
        assert again.embedded == len(shop.content_hashes() - written)


def test_a_first_publication_that_is_killed_anywhere_leaves_nothing_half_made(
    shop: Shop, chaos: Chaos
) -> None:
    shop.read(*OLD)
    for number, moment in chaos.kills("publish", only_turning_points=True):
        start_anew(shop)
        chaos.kill("publish", number, moment)
        served = shop.index.served()
        assert served is None or set(shop.held()) <= {one.name for one in OLD}
        again = shop.publish(*OLD)
        chaos.assert_readers_see_all()
        assert (again.points.expected, again.points.present) == (6, 6)
        assert shop.index.collections() == [again.state.collection]


def start_anew(shop: Shop) -> None:
    client = shop.resources["qdrant"].client
    for name in shop.index.collections():
        client.delete_collection(name)
    shop.store.index_states.replace([])


def test_a_migration_that_is_killed_anywhere_is_brought_to_its_end_by_the_next(
    shop: Shop, chaos: Chaos
) -> None:
    shop.publish(*OLD)
    for number, moment in chaos.kills("migrate", only_turning_points=True):
        before = shop.index.names().live
        chaos.kill("migrate", number, moment)
        chaos.assert_readers_see_all()
        assert migrate(shop, rebuild=True).points == 6
        chaos.assert_readers_see_all()
        live, previous = shop.index.names()
        assert live != before
        assert shop.index.collections() == sorted([str(live), str(previous)])
        assert shop.store.index_states.get("7").collection == live
        assert shop.publish(*OLD).points.unchanged == 6


def test_a_reader_notices_neither_fifty_publications_nor_a_migration_nor_a_rollback(
    shop: Shop, services: Any
) -> None:
    shop.publish(*OLD)
    with PollingReader(services.qdrant, services.ollama, shop.index.alias, STABLE) as reader:
        for number in range(25):
            shop.publish(*NEW, table(f"extra_{number}", "id"))
            shop.publish(*(with_comment(one, f"version {number}") for one in OLD))
        configure(shop, SMALL)
        migration = IndexMigration(shop.index, shop.ollama, shop.database, lambda _: None)
        migration.run(MigrationOptions())
        shop.publish(*NEW)
        roll_back(shop.index, shop.ollama, shop.database)
        shop.publish(*OLD)
    assert reader.wrong == []
    assert reader.answers > 50
    assert reader.models == {LARGE, SMALL}
