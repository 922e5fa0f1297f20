"""A knowledge base whose lock is lost in the middle: its session ends, and its process lives on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from twd_shared.errors import MetadataUnavailable
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.versions import ModelVersions

from .conftest import Location
from .trained_shop import TrainedShop

pytestmark = pytest.mark.integration

LOST = "lock of the knowledge base is lost"


@pytest.fixture
def shop(location: Location, ollama_url: str) -> TrainedShop:
    """A shop that is served as version 1, and has got a new column since."""
    made = TrainedShop(location, ollama_url)
    made.read()
    made.train()
    made.change("campaign", "agency")
    return made


LoseLock = Callable[..., None]


@pytest.fixture
def lose_lock(shop: TrainedShop, monkeypatch: pytest.MonkeyPatch) -> LoseLock:
    """Before a step is next done, its lock's session ends, and then `meanwhile` happens."""

    def before(owner: type, step: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        original = getattr(owner, step)

        def cut_off(*arguments: Any, **named: Any) -> Any:
            monkeypatch.setattr(owner, step, original)
            shop.location.execute_metadata(
                "select pg_terminate_backend(pid, 5000) from pg_locks where locktype = 'advisory'"
                " and database = (select oid from pg_database where datname = current_database())"
            )
            meanwhile()
            return original(*arguments, **named)

        monkeypatch.setattr(owner, step, cut_off)

    return before


@pytest.mark.parametrize(
    ("owner", "step", "recorded"),
    [
        (Collections, "create", [1]),
        (Collections, "write", [1]),
        (ModelVersions, "record", [1]),
        (Collections, "serve", [1, 2]),
    ],
)
def test_a_training_that_loses_its_lock_changes_nothing_more_and_the_next_is_whole(
    shop: TrainedShop, lose_lock: LoseLock, owner: type, step: str, recorded: list[int]
) -> None:
    lose_lock(owner, step)
    with pytest.raises(MetadataUnavailable, match=LOST):
        shop.train()
    assert shop.live.version == 1
    assert [row.version for row in shop.rows()] == recorded
    shop.train()
    assert (shop.live.version, shop.held) == (2, None)
    assert any("agency" in text for text in shop.served_texts())
    assert not shop.is_training_wished()


def test_what_another_training_has_made_meanwhile_stays_as_it_is(
    shop: TrainedShop, lose_lock: LoseLock
) -> None:
    def another() -> None:
        shop.change("voucher", "owner")
        shop.train()

    lose_lock(Collections, "write", another)
    with pytest.raises(MetadataUnavailable, match=LOST):
        shop.train()
    assert shop.live.version == 2
    counts = shop.collections.counts(2)
    assert counts is not None
    assert counts["ddl"] == shop.live.ddl_count == len(shop.tables)
    assert not shop.train().published.is_new


def test_leftovers_of_another_training_are_not_dropped_without_the_lock(
    shop: TrainedShop, lose_lock: LoseLock
) -> None:
    shop.collections.create(2, 768)
    lose_lock(Collections, "drop")
    with pytest.raises(MetadataUnavailable, match=LOST):
        shop.train()
    assert not shop.collections.missing(shop.collections.names(2).values())


def test_going_back_serves_nothing_without_its_lock(shop: TrainedShop, lose_lock: LoseLock) -> None:
    shop.train()
    lose_lock(Collections, "serve")
    with pytest.raises(MetadataUnavailable, match=LOST):
        shop.decisions.go_back()
    assert shop.live.version == 2
    assert shop.decisions.go_back().version == shop.live.version == 1


def test_a_promotion_serves_nothing_without_its_lock(
    shop: TrainedShop, lose_lock: LoseLock
) -> None:
    shop.train()
    shop.decisions.go_back()
    lose_lock(Collections, "serve")
    with pytest.raises(MetadataUnavailable, match=LOST):
        shop.decisions.promote()
    assert shop.live.version == 1
    assert shop.decisions.promote().version == shop.live.version == 2
