"""Taking a connection out of the schema index, also while somebody else works on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from twd_schema.lifecycle.removal import take_out, take_out_each
from twd_shared.clients.catalog import Connection
from twd_shared.errors import IndexUnavailable
from twd_shared.store.index_locks import IndexLocks
from twd_shared.store.index_states import IndexStateStore

from .index_shop import LARGE, SIX, Shop
from .test_index_migration import configure, migrate


@pytest.fixture
def shop(resources: dict[str, Any]) -> Shop:
    made = Shop(resources)
    made.publish(*SIX)
    return made


def test_nothing_of_it_is_left_in_any_collection(shop: Shop) -> None:
    other = Shop(shop.resources, Connection("8", "other", "postgresql", True, ""))
    other.publish(*SIX[:2])
    configure(shop, LARGE)
    migrate(shop, rebuild=True)
    assert take_out("7", shop.index, shop.database)
    assert [shop.index.counts(name) for name in shop.index.collections()] == [{"8": 2}] * 2
    assert not shop.store.connections.is_active("7")


def test_it_is_put_off_while_it_is_published(shop: Shop) -> None:
    with IndexLocks(shop.database, shop.index.alias).publishing("7"):
        assert not take_out("7", shop.index, shop.database)
    assert len(shop.held()) == 6
    assert shop.store.connections.is_active("7")


def test_it_is_put_off_while_another_collection_is_put_in_place(shop: Shop) -> None:
    with IndexLocks(shop.database, shop.index.alias).changing():
        assert not take_out("7", shop.index, shop.database)
    assert take_out("7", shop.index, shop.database)


def test_another_connection_that_is_published_does_not_put_it_off(shop: Shop) -> None:
    with IndexLocks(shop.database, shop.index.alias).publishing("8"):
        assert take_out("7", shop.index, shop.database)


def test_one_that_is_active_again_before_all_of_it_is_gone_counts_as_not_indexed(
    shop: Shop, faults: Callable[..., None]
) -> None:
    configure(shop, LARGE)
    migrate(shop, rebuild=True)
    faults("qdrant", {"path": "/points/delete", "status": 500, "skip": 1})
    with pytest.raises(IndexUnavailable):
        take_out("7", shop.index, shop.database)
    faults("qdrant")
    recorded = IndexStateStore(shop.database).get("7")
    assert recorded is not None
    assert not recorded.is_complete
    assert shop.publish(*SIX).points.present == 6


def test_what_failed_before_has_its_turn_after_the_others(shop: Shop) -> None:
    shop.store.connections.register([Connection("8", "other", "postgresql", True, "")])
    known = shop.store.connections.known()
    removals = take_out_each(known, shop.index, shop.database, ["7"], seconds=0)
    assert removals.taken_out == ["other"]


def test_two_that_take_all_the_time_and_fail_delay_no_third(
    shop: Shop, faults: Callable[..., None]
) -> None:
    for number in ("8", "9"):
        shop.store.connections.register([Connection(number, f"n{number}", "postgresql", True, "")])
    known = shop.store.connections.known()
    faults("qdrant", {"path": "/collections", "status": 500, "count": 2})
    failed: list[str] = []
    for _ in range(2):
        failed = take_out_each(known, shop.index, shop.database, failed, seconds=0).not_taken_out
    assert sorted(failed) == ["7", "8"]
    assert take_out_each(known, shop.index, shop.database, failed, seconds=0).taken_out == ["n9"]
