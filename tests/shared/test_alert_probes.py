"""A webhook that fails at some messages: the others get through, and none is lost.

A message is put aside only after another got through, and is then tried again by itself.
"""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from twd_shared.store.alert_delivery import AlertDelivery
from twd_shared.store.alerts import Alert, AlertOutbox
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import alerts

from ..webhook_server import Answer, WebhookServer
from .alert_rows import kept


def raise_all(database: MetadataDatabase, keys: str) -> None:
    for key in keys:
        AlertOutbox(database).raise_alert(Alert(key, "breaking", key, "body"))


def change(database: MetadataDatabase, statement: str) -> None:
    with database.begin() as transaction:
        transaction.execute(sa.text(statement))


def refused(database: MetadataDatabase) -> list[str]:
    return [row.alert_key for row in kept(database) if row.refused_at is not None]


def seconds_left(database: MetadataDatabase, key: str) -> int:
    """How long from now the message waits, to the nearest ten seconds."""
    left = sa.func.extract("epoch", alerts.c.not_before - sa.func.clock_timestamp())
    with database.begin() as transaction:
        query = sa.select(left).where(alerts.c.alert_key == key)
        return 10 * round(float(transaction.execute(query).scalar_one()) / 10)


def ticks(database: MetadataDatabase, delivery: AlertDelivery, number: int) -> None:
    """Calls that are so far apart that no wait is left."""
    for _ in range(number):
        delivery.deliver()
        change(database, "update twd.alerts set not_before = null")


def test_a_message_at_which_the_webhook_always_fails_is_put_aside_after_five_attempts(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    webhook.fails_at = {"a"}
    raise_all(database, "abc")
    ticks(database, delivery, 4)
    assert webhook.titles == []
    ticks(database, delivery, 1)
    assert webhook.titles == ["b", "c"]
    assert refused(database) == ["a"]
    assert "answered 500" in kept(database)[0].last_error


def test_what_was_put_aside_is_tried_again_and_holds_up_nobody(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    webhook.fails_at = {"a"}
    raise_all(database, "ab")
    ticks(database, delivery, 5)
    for key in "cd":
        raise_all(database, key)
        ticks(database, delivery, 1)
    assert webhook.titles == ["b", "c", "d"]
    assert [row.attempts for row in kept(database)] == [7, 1, 1, 1]
    webhook.fails_at = set()
    delivery.deliver()
    assert webhook.titles == ["b", "c", "d", "a"]
    assert refused(database) == []


def test_what_was_put_aside_waits_twice_as_long_each_time_and_an_hour_at_most(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    webhook.answers = [Answer(400)]
    raise_all(database, "ab")
    delivery.deliver()
    webhook.answer = Answer(400)
    waits = []
    for age in ("10 seconds", "2 minutes", "25 minutes", "20 days"):
        waits.append(seconds_left(database, "a"))
        change(database, f"update twd.alerts set refused_at = now() - interval '{age}'")
        change(database, "update twd.alerts set not_before = now()")
        delivery.deliver()
    waits.append(seconds_left(database, "a"))
    assert waits == [30, 30, 120, 1500, 3600]


def test_those_that_were_put_aside_are_tried_in_turn(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    webhook.answers = [Answer(400), Answer(400)]
    raise_all(database, "abc")
    ticks(database, delivery, 1)
    assert refused(database) == ["a", "b"]
    webhook.fails_at = {"a"}
    ticks(database, delivery, 2)
    assert webhook.titles == ["c", "b"]


def test_what_was_put_aside_is_given_up_after_a_month_and_sent_again_if_asked_for(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    webhook.answers = [Answer(400)]
    raise_all(database, "ab")
    delivery.deliver()
    change(
        database,
        "update twd.alerts set not_before = null, refused_at = now() - interval '31 days'"
        " where refused_at is not null",
    )
    ticks(database, delivery, 2)
    assert webhook.titles == ["b"]
    assert len(webhook.posted) == 2
    change(
        database,
        "update twd.alerts set refused_at = null, not_before = null where refused_at is not null",
    )
    delivery.deliver()
    assert webhook.titles == ["b", "a"]


def test_a_webhook_that_comes_back_by_halves_loses_nothing(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    raise_all(database, "abc")
    webhook.answer = Answer(503)
    ticks(database, delivery, 5)
    # Of two servers behind it one is still down, and it is the one that gets "a", again and again.
    webhook.answers = [Answer(503), Answer()] * 2 + [Answer(503)] * 2
    webhook.answer = Answer()
    ticks(database, delivery, 5)
    assert sorted(webhook.titles) == ["a", "b", "c"]
    assert refused(database) == []


@pytest.mark.parametrize("status", [400, 402, 404, 406, 409, 411, 422, 424, 428, 431, 451, 499])
def test_a_webhook_that_refuses_all_is_down_and_gets_all_when_it_was_repaired(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer, status: int
) -> None:
    raise_all(database, "abc")
    webhook.answer = Answer(status)
    ticks(database, delivery, 6)
    assert refused(database) == []
    delivery.deliver()
    assert len(webhook.posted) == 7 * 3
    assert delivery.deliver().waiting == 3
    assert len(webhook.posted) == 7 * 3, "the webhook is left alone for a while"
    webhook.answer = Answer()
    change(database, "update twd.alerts set not_before = null")
    delivery.deliver()
    assert webhook.titles == ["a", "b", "c"]


def test_a_message_that_was_refused_while_it_was_alone_holds_up_no_later_one(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    webhook.fails_at, webhook.failure = {"a"}, Answer(400)
    raise_all(database, "a")
    ticks(database, delivery, 5)
    delivery.deliver()
    assert (refused(database), seconds_left(database, "a") > 60) == ([], True)
    raise_all(database, "b")
    assert delivery.deliver().delivered == 1
    assert (webhook.titles, refused(database)) == (["b"], ["a"])


def test_a_message_that_waits_for_a_webhook_that_is_away_is_not_passed_by_a_later_one(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    webhook.answer = Answer(503, body=b"A server behind refused the message (400)")
    raise_all(database, "a")
    delivery.deliver()
    raise_all(database, "b")
    delivery.deliver()
    assert [message["key"] for message in webhook.posted] == ["a"]


def test_a_webhook_that_refuses_all_of_many_is_not_asked_with_all_of_them(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    raise_all(database, "abcdefghijkl")
    webhook.answer = Answer(400)
    delivery.deliver()
    assert [message["key"] for message in webhook.posted] == list("abcdef")


def test_messages_in_a_row_that_are_refused_hold_up_the_others_for_a_moment(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    raise_all(database, "abcdefghij")
    webhook.fails_at, webhook.failure = set("abcdefgh"), Answer(400)
    ticks(database, delivery, 2)
    assert sorted(webhook.titles) == ["i", "j"]
    raise_all(database, "k")
    ticks(database, delivery, 1)
    assert sorted(webhook.titles) == ["i", "j", "k"]


def test_messages_of_the_same_kind_in_a_row_hold_up_none_of_the_others_for_ever(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    webhook.fails_at = {"a", "b", "c"}
    raise_all(database, "abcde")
    ticks(database, delivery, 12)
    assert sorted(webhook.titles) == ["d", "e"]


def test_a_webhook_that_is_down_for_days_has_no_message_put_aside_and_keeps_the_order(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    webhook.answer = Answer(500)
    raise_all(database, "abc")
    ticks(database, delivery, 30)
    assert refused(database) == []
    assert [row.attempts for row in kept(database)] == [30, 13, 13]
    webhook.answer = Answer()
    delivery.deliver()
    assert webhook.titles == ["a", "b", "c"]


def test_a_webhook_that_comes_back_at_the_probe_gets_all(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    raise_all(database, "abc")
    webhook.answers = [Answer(503)] * 5
    ticks(database, delivery, 6)
    assert webhook.titles == ["b", "c", "a"]
    assert refused(database) == []


@pytest.mark.parametrize("asked", ["0", "600"])
def test_a_message_at_which_the_webhook_always_asks_for_a_wait_holds_up_no_other_for_ever(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer, asked: str
) -> None:
    raise_all(database, "abc")
    webhook.fails_at = {"a"}
    webhook.failure = Answer(503, {"retry-after": asked})
    change(database, "update twd.alerts set attempts = 4 where alert_key = 'a'")
    delivery.deliver()
    assert webhook.titles == ["b", "c"]
    assert refused(database) == ["a"]


def test_a_webhook_that_asks_for_no_wait_each_time_is_not_asked_many_times_at_once(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    raise_all(database, "ab")
    webhook.answer = Answer(503, {"retry-after": "0"})
    delivery.deliver(8.0, 4.0)
    assert len(webhook.posted) == 3
    delivery.deliver()
    assert len(webhook.posted) == 3, "the webhook is left alone for a while"


def test_a_wait_that_a_probe_is_asked_for_holds_for_all(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    raise_all(database, "ab")
    webhook.answers = [Answer(500)] * 5 + [Answer(429, {"retry-after": "3600"})]
    ticks(database, delivery, 4)
    delivery.deliver()
    # What the first one waits for is over long before.
    change(database, "update twd.alerts set not_before = null where alert_key = 'a'")
    assert delivery.deliver().waiting == 2
    assert len(webhook.posted) == 6
