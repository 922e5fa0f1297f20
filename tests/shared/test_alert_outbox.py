"""The outbox of alerts: each event once, delivered even when the webhook was down."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from twd_shared.clients.webhook import WebhookUnavailable, post_alert
from twd_shared.store.alerts import Alert, AlertOutbox
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import alerts


def alert(key: str = "a") -> Alert:
    return Alert(key, "breaking", f"title {key}", "body", "http://ui/runs/1")


def kept(database: MetadataDatabase) -> list[Any]:
    with database.begin() as transaction:
        return list(transaction.execute(sa.select(alerts).order_by(alerts.c.alert_key)))


def test_an_alert_is_delivered_with_everything_it_says(
    database: MetadataDatabase, http_server: Any
) -> None:
    assert AlertOutbox(database, http_server.url).raise_alert(alert())
    assert http_server.received == [
        {"title": "title a", "body": "body", "severity": "breaking", "link": "http://ui/runs/1"}
    ]


def test_the_same_event_is_delivered_once(database: MetadataDatabase, http_server: Any) -> None:
    outbox = AlertOutbox(database, http_server.url)
    assert [outbox.raise_alert(alert()) for _ in range(3)] == [True, False, False]
    assert len(http_server.received) == 1


def test_what_a_webhook_refused_is_delivered_once_when_it_is_back_oldest_first(
    database: MetadataDatabase, http_server: Any
) -> None:
    outbox = AlertOutbox(database, http_server.url)
    http_server.status = 503
    outbox.raise_alert(alert("b"))
    outbox.raise_alert(alert("a"))
    assert [row.delivered_at for row in kept(database)] == [None, None]
    http_server.status = 200
    assert outbox.deliver() == 2
    assert outbox.deliver() == 0
    assert [item["title"] for item in http_server.received] == ["title b", "title a"]


def test_without_a_webhook_alerts_are_kept(database: MetadataDatabase) -> None:
    assert AlertOutbox(database).raise_alert(alert())
    [row] = kept(database)
    assert (row.attempts, row.delivered_at) == (0, None)


def test_a_message_that_is_refused_does_not_hold_up_the_others(
    database: MetadataDatabase, http_server: Any
) -> None:
    outbox = AlertOutbox(database, http_server.url)
    http_server.status = 400
    outbox.raise_alert(alert("bad"))
    http_server.status = 200
    outbox.raise_alert(alert("good"))
    assert [item["title"] for item in http_server.received] == ["title good"]
    bad, good = kept(database)
    assert (bad.delivered_at, bad.attempts) == (None, 1)
    assert bad.refused_at is not None
    assert "refused the message (400)" in bad.last_error
    assert good.delivered_at is not None
    assert outbox.deliver() == 0
    assert kept(database)[0].attempts == 1


def test_messages_that_are_all_refused_are_each_tried_once(
    database: MetadataDatabase, http_server: Any
) -> None:
    silent = AlertOutbox(database)
    for name in "abc":
        silent.raise_alert(alert(name))
    http_server.status = 422
    outbox = AlertOutbox(database, http_server.url)
    assert [outbox.deliver(), outbox.deliver()] == [0, 0]
    assert [row.attempts for row in kept(database)] == [1, 1, 1]


@pytest.mark.parametrize("status", [401, 404, 405, 408, 410, 429, 500])
def test_what_is_no_fault_of_the_message_is_tried_again(
    database: MetadataDatabase, http_server: Any, status: int
) -> None:
    outbox = AlertOutbox(database, http_server.url)
    http_server.status = status
    outbox.raise_alert(alert())
    http_server.status = 200
    assert outbox.deliver() == 1


def test_one_call_sends_a_limited_number(database: MetadataDatabase, http_server: Any) -> None:
    silent = AlertOutbox(database)
    for number in range(53):
        silent.raise_alert(alert(f"{number:02}"))
    outbox = AlertOutbox(database, http_server.url)
    assert [outbox.deliver(), outbox.deliver()] == [50, 3]


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_refusal_is_kept_without_the_webhooks_address(
    database: MetadataDatabase, http_server: Any, status: int
) -> None:
    http_server.status = status
    AlertOutbox(database, f"{http_server.url}/hooks/secret-token").raise_alert(alert())
    [row] = kept(database)
    assert row.attempts == 1
    assert str(status) in row.last_error
    assert "secret-token" not in row.last_error


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:9/secret-token",
        "secret-token",
        "http://[secret-token",
        "http://host:secret-token/",
    ],
)
def test_a_webhook_that_cannot_be_reached_is_never_named_in_full(address: str) -> None:
    with pytest.raises(WebhookUnavailable) as raised:
        post_alert(address, title="t", body="b", severity="failure")
    assert "secret-token" not in str(raised.value)
    assert raised.value.__cause__ is None
