"""A webhook that fails at one message alone: those behind it get through, and none is lost."""

from __future__ import annotations

import sqlalchemy as sa

from twd_shared.store.alert_delivery import AlertDelivery
from twd_shared.store.alerts import Alert, AlertOutbox
from twd_shared.store.database import MetadataDatabase

from ..webhook_server import Answer, WebhookServer
from .alert_rows import kept


def raise_all(database: MetadataDatabase, keys: str) -> None:
    for key in keys:
        AlertOutbox(database).raise_alert(Alert(key, "breaking", key, "body"))


def change(database: MetadataDatabase, statement: str) -> None:
    with database.begin() as transaction:
        transaction.execute(sa.text(statement))


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
    refused = kept(database)[0]
    assert refused.refused_at is not None
    assert "answered 500" in refused.last_error
    assert "took another message" in refused.last_error


def test_what_was_put_aside_can_be_sent_again(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    webhook.fails_at = {"a"}
    raise_all(database, "ab")
    ticks(database, delivery, 5)
    webhook.fails_at = set()
    change(database, "update twd.alerts set refused_at = null where refused_at is not null")
    delivery.deliver()
    assert webhook.titles == ["b", "a"]


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
    assert [row.refused_at for row in kept(database)] == [None] * 3
    assert [row.attempts for row in kept(database)] == [30, 0, 0]
    webhook.answer = Answer()
    delivery.deliver()
    assert webhook.titles == ["a", "b", "c"]


def test_a_webhook_that_comes_back_at_the_probe_gets_all(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    raise_all(database, "abc")
    webhook.answers = [Answer(503)] * 5
    ticks(database, delivery, 5)
    assert webhook.titles == ["b", "a", "c"]
    assert [row.refused_at for row in kept(database)] == [None] * 3


def test_a_webhook_that_asks_to_be_left_alone_gets_no_probe(
    database: MetadataDatabase, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    raise_all(database, "ab")
    webhook.answer = Answer(503, {"retry-after": "600"})
    ticks(database, delivery, 8)
    assert {message["key"] for message in webhook.posted} == {"a"}


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
