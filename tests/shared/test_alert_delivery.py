"""Sending alerts: a webhook that misbehaves, senders that are killed, an address that is secret."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from twd_shared.clients.webhook import Webhook, WebhookRefused, WebhookUnavailable
from twd_shared.clients.webhook_formats import WebhookMessage
from twd_shared.store.alert_delivery import AlertDelivery
from twd_shared.store.alerts import AlertOutbox
from twd_shared.store.database import MetadataDatabase

from ..webhook_server import Answer, WebhookServer
from .alert_rows import alert, kept, waits_end

# --- a webhook that misbehaves, and senders that do -----------------------------------------


@pytest.mark.parametrize("manner", ["hang", "drip", "reset"])
def test_a_webhook_that_answers_badly_costs_one_send_and_loses_nothing(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
    manner: Any,
) -> None:
    webhook.answer = Answer(manner=manner)
    for key in "abc":
        outbox.raise_alert(alert(key))
    started = time.monotonic()
    assert delivery.deliver(10.0, 2.0).waiting == 3
    assert time.monotonic() - started < 5
    assert len(webhook.posted) == 1
    webhook.answer = Answer()
    waits_end(database)
    assert delivery.deliver().delivered == 3


@pytest.mark.parametrize("limit", ["idle_in_transaction_session_timeout", "transaction_timeout"])
def test_a_server_that_ends_transactions_early_does_not_have_a_message_sent_for_ever(
    database: MetadataDatabase,
    metadata_dsn: str,
    outbox: AlertOutbox,
    webhook: WebhookServer,
    limit: str,
) -> None:
    webhook.answer = Answer(manner="hang")
    outbox.raise_alert(alert())
    with database.begin() as transaction:
        name = transaction.exec_driver_sql("select current_database()").scalar_one()
        transaction.exec_driver_sql(f'alter database "{name}" set {limit} = 1500')
    with closing(MetadataDatabase(metadata_dsn)) as impatient:
        done = AlertDelivery(impatient, Webhook(webhook.url)).deliver(6.0, 3.0)
    assert (done.waiting, len(done.errors), len(webhook.posted)) == (1, 1, 1)
    assert kept(database)[0].attempts == 1


def test_a_slow_webhook_is_left_before_the_budget_is_over(
    outbox: AlertOutbox, delivery: AlertDelivery, webhook: WebhookServer
) -> None:
    for number in range(20):
        outbox.raise_alert(alert(f"{number:02}"))
    webhook.answers = [Answer(429, {"retry-after": "1"}) for _ in range(20)]
    started = time.monotonic()
    assert delivery.deliver(3.0, 1.0).waiting > 0
    assert time.monotonic() - started < 15, "all of them would take twenty"


def test_a_sender_that_is_killed_after_sending_has_the_message_sent_again(
    database: MetadataDatabase,
    metadata_dsn: str,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
) -> None:
    webhook.answers = [Answer(manner="hang")]
    for key in "ab":
        outbox.raise_alert(alert(key))
    code = (
        "import os; from twd_shared.clients.webhook import Webhook;"
        "from twd_shared.store.alert_delivery import AlertDelivery;"
        "from twd_shared.store.database import MetadataDatabase;"
        "AlertDelivery(MetadataDatabase(os.environ['D']), Webhook(os.environ['W']))"
        ".deliver(60, 50)"
    )
    sender = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "D": metadata_dsn, "W": webhook.url}
    )
    webhook.wait_for_a_message()
    assert delivery.deliver().delivered == 0, "another sender is at work"
    sender.send_signal(signal.SIGKILL)
    sender.wait()
    delivered, deadline = 0, time.monotonic() + 20
    while delivered < 2 and time.monotonic() < deadline:
        # PostgreSQL notices after a moment that the sender is gone.
        delivered += delivery.deliver().delivered
    assert [item["key"] for item in webhook.posted] == ["a", "a", "b"]
    assert webhook.titles == ["title a", "title b"]


def test_senders_at_the_same_time_send_each_alert_once_and_in_order(
    database: MetadataDatabase, outbox: AlertOutbox, webhook: WebhookServer
) -> None:
    for number in range(60):
        outbox.raise_alert(alert(f"{number:02}"))
    deadline = time.monotonic() + 30

    def send() -> None:
        mine = AlertDelivery(database, Webhook(webhook.url))
        while mine.deliver().waiting and time.monotonic() < deadline:
            pass

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert [item["key"] for item in webhook.posted] == [f"{number:02}" for number in range(60)]


# --- what Discord needs, and what a webhook says --------------------------------------------


@pytest.mark.parametrize(
    ("query", "wanted_format", "sent"),
    [
        ("", "discord", "?wait=true"),
        ("?thread_id=5", "discord", "?thread_id=5&wait=true"),
        ("?wait=false&thread_id=5", "discord", "?wait=false&thread_id=5"),
        ("?thread_id=5", "json", "?thread_id=5"),
    ],
)
def test_discord_answers_only_after_it_has_kept_the_message(
    webhook: WebhookServer,
    message: Callable[..., WebhookMessage],
    query: str,
    wanted_format: str,
    sent: str,
) -> None:
    Webhook(f"{webhook.url}{query}", wanted_format).send(message())
    assert webhook.paths == [f"/hooks/secret-token{sent}"]


@pytest.mark.parametrize("status", [400, 404, 502])
def test_what_the_webhook_says_stands_in_one_line_of_the_row(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
    status: int,
) -> None:
    webhook.answer = Answer(status, body=b'{"embeds":\n\t["0"]}\0\xff' + b" long" * 5000)
    outbox.raise_alert(alert())
    delivery.deliver()
    said = kept(database)[0].last_error.partition(" It said: ")[2]
    assert said.startswith('{"embeds": ["0"]} \ufffd long long')
    assert len(said) == 200
    assert said.endswith("…")


@pytest.mark.parametrize(
    "body",
    [
        "Cannot POST /hooks/secret-token?key=other%20secret",
        "No token SECRET-TOKEN with other secret for secret-user secret-word",
        " " * 4050 + "http://host/hooks/secret-token",
        " " * 4085 + "secret-token",
    ],
)
def test_an_answer_that_repeats_the_address_is_kept_without_it(
    webhook: WebhookServer, message: Callable[..., WebhookMessage], body: str
) -> None:
    webhook.answer = Answer(400, body=body.encode())
    url = webhook.url.replace("//", "//secret-user:secret-word@")
    with pytest.raises(WebhookRefused) as raised:
        Webhook(f"{url}?key=other%20secret").send(message())
    assert "secret" not in str(raised.value).lower()


def test_an_answer_that_does_not_end_costs_a_second_and_its_status_counts(
    webhook: WebhookServer, message: Callable[..., WebhookMessage]
) -> None:
    webhook.answer = Answer(400, manner="stall")
    started = time.monotonic()
    with pytest.raises(WebhookRefused):
        Webhook(webhook.url).send(message(), 8.0)
    assert time.monotonic() - started < 4


# --- the address is a secret ----------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 302, 400, 404, 500])
def test_neither_logs_nor_rows_nor_messages_hold_the_webhooks_address(
    database: MetadataDatabase,
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    webhook.answer = Answer(status)
    outbox.raise_alert(alert())
    with caplog.at_level(logging.DEBUG):
        done = delivery.deliver()
    assert len(webhook.posted) == 1
    [row] = kept(database)
    assert "secret-token" not in f"{caplog.text} {row} {done}"
    assert bool(done.errors) == (status != 200)


def test_what_others_request_at_the_same_time_is_logged_as_ever(
    outbox: AlertOutbox,
    delivery: AlertDelivery,
    webhook: WebhookServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    webhook.answer = Answer(manner="hang")
    outbox.raise_alert(alert())
    sender = threading.Thread(target=delivery.deliver, args=(2.0, 1.0))
    sender.start()
    webhook.wait_for_a_message()
    with caplog.at_level(logging.INFO):
        logging.getLogger("httpx").info("of another thread")
    sender.join()
    assert "of another thread" in caplog.text


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:9/secret-token",
        "secret-token",
        "http://[secret-token",
        "http://host:secret-token/",
        "http://hooks..example/secret-token",
    ],
)
def test_a_webhook_that_cannot_be_reached_is_never_named_in_full(
    address: str, database: MetadataDatabase, outbox: AlertOutbox
) -> None:
    outbox.raise_alert(alert())
    done = AlertDelivery(database, Webhook(address)).deliver()
    [error] = done.errors
    assert "Check TWD_ALERT_WEBHOOK_URL" in error
    assert "no answer within" not in error
    assert "secret-token" not in f"{error} {kept(database)}"


def test_an_error_of_the_webhook_has_no_cause_that_could_name_it(
    webhook: WebhookServer, message: Callable[..., WebhookMessage]
) -> None:
    webhook.answer = Answer(manner="reset")
    with pytest.raises(WebhookUnavailable) as raised:
        Webhook(webhook.url).send(message())
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


@pytest.fixture
def message() -> Callable[..., WebhookMessage]:
    def make() -> WebhookMessage:
        return WebhookMessage("k", "failure", "t", "b", "", "", datetime.now(UTC))

    return make
