"""The outbox of alerts: each event once, in order, and delivered when the webhook is back."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from twd_shared.store.alert_delivery import AlertDelivery
from twd_shared.store.alerts import Alert, AlertOutbox
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import alerts

from ..webhook_server import Answer, WebhookServer
from .alert_rows import alert, kept, waits_end


def wait_seconds(database: MetadataDatabase) -> float:
    """How long from now the webhook is left alone."""
    left = sa.func.extract("epoch", sa.func.max(alerts.c.not_before) - sa.func.clock_timestamp())
    with database.begin() as transaction:
        return float(transaction.execute(sa.select(left)).scalar_one())


# --- raising --------------------------------------------------------------------------------


def test_an_alert_is_delivered_with_everything_it_says(
    outbox: AlertOutbox, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    assert outbox.raise_alert(alert())
    assert delivery.deliver().delivered == 1
    [message] = webhook.taken
    assert message.pop("raised_at").endswith("+00:00")
    assert message == {
        "key": "a",
        "severity": "breaking",
        "title": "title a",
        "body": "body",
        "link": "http://ui/runs/1",
        "database": "shop",
    }


def test_the_same_event_is_delivered_once(
    outbox: AlertOutbox, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    assert [outbox.raise_alert(alert()) for _ in range(3)] == [True, False, False]
    assert [delivery.deliver().delivered for _ in range(2)] == [1, 0]
    assert not outbox.raise_alert(alert())
    assert delivery.deliver().delivered == 0
    assert len(webhook.posted) == 1


def test_without_a_webhook_alerts_are_kept(database: MetadataDatabase, outbox: AlertOutbox) -> None:
    outbox.raise_alert(alert())
    done = AlertDelivery(database, None).deliver()
    assert (done.delivered, done.waiting) == (0, 1)
    [row] = kept(database)
    assert (row.attempts, row.delivered_at) == (0, None)


def test_raising_never_waits_for_a_webhook_that_hangs_while_it_is_sent_to(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
) -> None:
    webhook.answer = Answer(manner="hang")
    outbox.raise_alert(alert("first"))
    sender = threading.Thread(target=delivery.deliver, args=(6.0, 4.0))
    sender.start()
    webhook.wait_for_a_message()
    assert not outbox.raise_alert(alert("first"))
    assert outbox.raise_alert(alert("second"))
    assert sender.is_alive(), "it was still sending"
    sender.join()


def test_what_postgresql_cannot_hold_does_not_lose_the_alert(
    database: MetadataDatabase, outbox: AlertOutbox
) -> None:
    outbox.raise_alert(Alert("a", "failure", "title\0", "body \udcff " + "x" * 30_000))
    [row] = kept(database)
    assert row.title == "title"
    assert row.body.startswith("body ? x")
    assert len(row.body) == 20_000


# --- order, refusals and waits --------------------------------------------------------------


def test_what_waited_is_delivered_in_the_order_in_which_it_was_raised(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
) -> None:
    webhook.answer = Answer(503)
    for key in "cab":
        outbox.raise_alert(alert(key))
    assert delivery.deliver().waiting == 3
    webhook.answer = Answer()
    waits_end(database)
    assert delivery.deliver().delivered == 3
    assert webhook.titles == ["title c", "title a", "title b"]


def test_nothing_of_a_long_outage_is_lost(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
) -> None:
    webhook.answer = Answer(503)
    keys = [f"{number:03}" for number in range(300)]
    for number, key in enumerate(keys):
        outbox.raise_alert(alert(key))
        if number % 100 == 0:
            waits_end(database)
            delivery.deliver()
    webhook.answer = Answer()
    waits_end(database)
    for _ in range(5):
        delivery.deliver()
    assert webhook.titles == [f"title {key}" for key in keys]


def test_a_message_that_is_refused_does_not_hold_up_the_others(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
) -> None:
    webhook.answers = [Answer(400)]
    for key in ("bad", "good"):
        outbox.raise_alert(alert(key))
    done = delivery.deliver()
    assert (done.delivered, done.waiting) == (1, 0)
    assert webhook.titles == ["title good"]
    bad, good = kept(database)
    assert (bad.delivered_at, bad.attempts) == (None, 1)
    assert "refused the message (400)" in bad.last_error
    assert "TWD_ALERT_FORMAT" in bad.last_error
    assert good.delivered_at is not None
    delivery.deliver()
    assert kept(database)[0].attempts == 1


@pytest.mark.parametrize("status", [302, 401, 403, 404, 405, 408, 410, 429, 500, 503])
def test_what_is_no_fault_of_the_message_is_tried_again(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
    status: int,
) -> None:
    webhook.answers = [Answer(status, {"location": f"{webhook.url}/elsewhere"})]
    outbox.raise_alert(alert())
    assert delivery.deliver().delivered == 0
    waits_end(database)
    assert delivery.deliver().delivered == 1


def test_a_webhook_that_stays_down_is_tried_ever_more_seldom(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
) -> None:
    webhook.answer = Answer(500)
    outbox.raise_alert(alert())
    waits = []
    for _ in range(7):
        delivery.deliver()
        waits.append(round(wait_seconds(database) / 30))
        waits_end(database)
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_while_it_waits_nothing_is_sent_not_even_what_is_raised_later(
    outbox: AlertOutbox, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    webhook.answer = Answer(500)
    outbox.raise_alert(alert("old"))
    delivery.deliver()
    outbox.raise_alert(alert("new"))
    for _ in range(5):
        assert delivery.deliver().waiting == 2
    assert len(webhook.posted) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_long_wait_that_is_asked_for_is_kept(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
    status: int,
) -> None:
    webhook.answers = [Answer(status, {"retry-after": "600"})]
    outbox.raise_alert(alert())
    delivery.deliver()
    assert 590 < wait_seconds(database) <= 600
    delivery.deliver()
    assert len(webhook.posted) == 1


def test_a_wait_given_as_a_date_is_kept_and_one_of_days_ends_after_an_hour(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
) -> None:
    webhook.answers = [Answer(429, {"retry-after": "Fri, 31 Dec 2100 23:59:59 GMT"})]
    outbox.raise_alert(alert())
    delivery.deliver()
    assert 3590 < wait_seconds(database) <= 3600


@pytest.mark.parametrize(
    "asked", ["soon", "Thu, 01 Jan 99999999999999999999 00:00:00 GMT", "\xe9, 1", "nan"]
)
def test_a_wait_that_nobody_can_read_is_none(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
    asked: str,
) -> None:
    webhook.answers = [Answer(429, {"retry-after": asked})]
    outbox.raise_alert(alert())
    delivery.deliver()
    assert 0 < wait_seconds(database) <= 30


def test_a_wait_that_a_clock_dated_before_it_was_set_back_holds_nothing_up(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
) -> None:
    outbox.raise_alert(alert("a"))
    outbox.raise_alert(alert("b"))
    with database.begin() as transaction:
        ahead = sa.func.now() + timedelta(days=400)
        waits = sa.update(alerts).where(alerts.c.alert_key == "a").values(not_before=ahead)
        transaction.execute(waits)
    assert delivery.deliver().delivered == 2
    assert webhook.titles == ["title a", "title b"]


def test_a_short_wait_is_waited_for_within_the_same_call(
    outbox: AlertOutbox, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    webhook.answers = [Answer(), Answer(429, {"retry-after": "1.2"})]
    for key in "abc":
        outbox.raise_alert(alert(key))
    assert delivery.deliver().delivered == 3
    assert webhook.times[2] - webhook.times[1] >= 1.2
    assert webhook.titles == ["title a", "title b", "title c"]
