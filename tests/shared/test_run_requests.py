"""Requests for runs: a new wish at once, a failing one again with growing waits."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from twd_shared.contract import CONNECTION_TAG, DATABASE_TAG, TRIGGER_TAG
from twd_shared.run_requests import Attempts, claim_run
from twd_shared.store.connections import RegisteredConnection

SHOP = RegisteredConnection("7", "shop-2", "shop", "postgresql", True, "ok", "")
ASSETS = (dg.AssetKey(["schema", "a"]), dg.AssetKey(["schema", "b"]))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def test_waits_grow_to_an_hour() -> None:
    attempts, now, waits = Attempts(None), 0.0, []
    for _ in range(9):
        attempts.record("7", "a", now)
        wait = next(seconds for seconds in range(4000) if attempts.is_due("7", "a", now + seconds))
        waits.append(wait)
        now += wait
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_what_fails_for_months_is_still_tried_every_hour() -> None:
    attempts = Attempts('{"7": {"wish": "a", "count": 5000, "last": 0}}')
    assert not attempts.is_due("7", "a", 3599.0)
    assert attempts.is_due("7", "a", 3600.0)
    assert attempts.record("7", "a", 3600.0) == 5001


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    attempts = Attempts(None)
    attempts.record("7", "a", 1e9)
    assert attempts.is_due("7", "a", 1000.0)
    attempts.record("7", "a", 1000.0)
    assert not attempts.is_due("7", "a", 1000.0)


def test_a_new_wish_does_not_wait_for_an_old_one() -> None:
    attempts = Attempts(None)
    attempts.record("7", "a", 0.0)
    assert not attempts.is_due("7", "a", 59.0)
    assert attempts.is_due("7", "b", 0.0)


def test_a_new_wish_waits_where_the_most_requests_have_changed_nothing() -> None:
    attempts = Attempts(None, most=2)
    for wish in ("a", "b"):
        assert attempts.is_due("7", wish, 0.0, "as it is")
        attempts.record("7", wish, 0.0, "as it is")
    attempts = Attempts(attempts.cursor(), most=2)
    assert not attempts.is_due("7", "c", 3599.0, "as it is")
    assert attempts.is_due("7", "c", 3600.0, "as it is")


def test_a_wish_that_is_repeated_waits_no_less_where_the_most_requests_have_changed_nothing() -> (
    None
):
    attempts = Attempts(None, most=2)
    for wish in ("a", "b", "c"):
        attempts.record("7", wish, 0.0, "as it is")
    assert not attempts.is_due("7", "c", 3599.0, "as it is")
    assert attempts.is_due("7", "c", 3600.0, "as it is")


def test_an_urgent_wish_does_not_wait_for_what_was_in_vain_and_counts_among_it(
    instance: dg.DagsterInstance,
) -> None:
    attempts = Attempts(None, most=2)

    def waits(wish: str, is_urgent: bool = False) -> bool:
        request = claim_run(
            instance,
            attempts,
            SHOP,
            wish,
            "some_sensor",
            ASSETS,
            standing="as it is",
            is_urgent=is_urgent,
        )
        return request is None

    assert [waits("a"), waits("b"), waits("as it is", is_urgent=True)] == [False] * 3
    assert waits("c")


def test_what_fails_for_months_is_requested_behind_others_if_it_was_at_first(
    instance: dg.DagsterInstance,
) -> None:
    attempts = Attempts(None)
    for priority in (-1, 2):
        attempts.record("7", "a", 0.0)
        request = claim_run(instance, attempts, SHOP, "a", "some_sensor", ASSETS, priority)
        assert request is not None
        assert request.tags.get("dagster/priority") == {-1: "-1", 2: None}[priority]
        attempts = Attempts(None)


def test_new_wishes_do_not_wait_while_the_requests_work() -> None:
    attempts = Attempts(None, most=2)
    for wish in "abcdef":
        assert attempts.is_due("7", wish, 0.0, f"before {wish}")
        attempts.record("7", wish, 0.0, f"before {wish}")


def test_a_wish_that_came_true_is_forgotten() -> None:
    attempts = Attempts(None)
    for _ in range(5):
        attempts.record("7", "a", 0.0)
    attempts.forget_others(set())
    assert attempts.is_due("7", "a", 0.0)


def test_the_record_survives_in_a_cursor() -> None:
    attempts = Attempts(None)
    attempts.record("7", "a", 100.0)
    again = Attempts(attempts.cursor())
    assert not again.is_due("7", "a", 159.0)
    assert again.is_due("7", "a", 160.0)


@pytest.mark.parametrize("cursor", [None, "", "{", "[]", '{"7": 1}'])
def test_an_unreadable_cursor_counts_as_none(cursor: str | None) -> None:
    assert Attempts(cursor).is_due("7", "a", 0.0)


def test_a_request_names_connection_assets_and_asker(
    instance: dg.DagsterInstance,
) -> None:
    request = claim_run(instance, Attempts(None), SHOP, "a", "some_sensor", ASSETS)
    assert request is not None
    assert (request.partition_key, request.run_key) == ("shop-2", None)
    assert request.asset_selection == list(ASSETS)
    assert request.tags == {
        CONNECTION_TAG: "7",
        DATABASE_TAG: "shop",
        TRIGGER_TAG: "some_sensor",
    }


@pytest.mark.parametrize(
    ("status", "waits"),
    [
        (dg.DagsterRunStatus.NOT_STARTED, True),
        (dg.DagsterRunStatus.STARTED, True),
        (dg.DagsterRunStatus.SUCCESS, False),
        (dg.DagsterRunStatus.FAILURE, False),
    ],
)
def test_a_partition_with_a_run_in_flight_waits(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, waits: bool
) -> None:
    instance.add_run(
        dg.DagsterRun(
            job_name="some_job",
            status=status,
            tags={"dagster/partition": "shop-2"},
            asset_selection=frozenset(ASSETS),
        )
    )
    attempts = Attempts(None)
    request = claim_run(instance, attempts, SHOP, "a", "some_sensor", ASSETS)
    assert (request is None) == waits
    assert (attempts.cursor() == "{}") == waits


def test_a_run_that_writes_other_assets_of_the_partition_is_not_waited_for(
    instance: dg.DagsterInstance,
) -> None:
    instance.add_run(
        dg.DagsterRun(
            job_name="training_job",
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/partition": "shop-2"},
            asset_selection=frozenset({dg.AssetKey(["training", "trained_model"])}),
        )
    )
    assert claim_run(instance, Attempts(None), SHOP, "a", "some_sensor", ASSETS) is not None
