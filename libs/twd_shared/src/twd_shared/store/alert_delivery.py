"""Emptying the outbox of alerts into the webhook: in order, one sender at a time, with waits.

A message is marked as delivered after the webhook took it. Whoever is killed in between has it
sent again by the next sender: at least once, never lost. No lock of a row is held while the
webhook is waited for, so that alerts can be raised and closed meanwhile.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from twd_shared.clients.webhook import Webhook, WebhookRefused, WebhookUnavailable
from twd_shared.clients.webhook_formats import WebhookMessage
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import alerts

BUDGET_SECONDS = 25.0
"""A tick of the sensor ends within 60 s, and Dagster needs time to start it."""

SEND_SECONDS = 10.0
"""A message that is not taken by then is given up and sent again later."""

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 30.0, 900.0

_WAITS = alerts.c.delivered_at.is_(None) & alerts.c.refused_at.is_(None)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one call did: how many were taken, how many wait, and what went wrong."""

    delivered: int = 0
    waiting: int = 0
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sent:
    """What became of one message; `wait_seconds` None = the next one may be sent at once."""

    delivered: bool
    error: str = ""
    wait_seconds: float | None = None


class AlertDelivery:
    """Rows of `twd.alerts`, as the one who sends them sees them."""

    def __init__(self, database: MetadataDatabase, webhook: Webhook | None) -> None:
        """Send to `webhook`; None = alerts are only kept."""
        self._database = database
        self._webhook = webhook

    def deliver(
        self, budget_seconds: float = BUDGET_SECONDS, send_seconds: float = SEND_SECONDS
    ) -> Delivery:
        """Send what waits, oldest first, and end within the budget; raises MetadataUnavailable.

        A message that the webhook refuses is marked and not sent again. When no message gets
        through all wait: as long as the webhook asks for, else 30 s, 60 s, 120 s … and 15 minutes
        at most. While another sender is at work nothing is done.
        """
        if self._webhook is None:
            return Delivery(0, self._waiting())
        last_start = time.monotonic() + budget_seconds - send_seconds
        delivered, errors = 0, list[str]()
        while time.monotonic() <= last_start:
            sent = self._send_next(self._webhook, send_seconds)
            if sent is None:
                break
            delivered += sent.delivered
            if sent.error:
                errors.append(sent.error)
            if sent.wait_seconds is not None:
                if time.monotonic() + sent.wait_seconds > last_start:
                    break
                time.sleep(sent.wait_seconds)
        return Delivery(delivered, self._waiting(), tuple(errors))

    def _send_next(self, webhook: Webhook, seconds: float) -> _Sent | None:
        """Send the oldest that waits; None if there is none, or none may be sent now."""
        with self._database.begin() as transaction:
            # To the end of this transaction: the next sender sees what became of the message.
            alone = "select pg_try_advisory_xact_lock(hashtextextended('twd.alerts', 0))"
            if not transaction.execute(sa.text(alone)).scalar_one():
                return None
            query = sa.select(alerts).where(_WAITS).order_by(alerts.c.sequence).limit(1)
            held_up = sa.exists().where(_WAITS, alerts.c.not_before > sa.func.clock_timestamp())
            row = transaction.execute(query.where(~held_up)).one_or_none()
            if row is None:
                return None
            sent, values = _outcome(webhook, row, seconds)
            transaction.execute(
                sa.update(alerts)
                .where(alerts.c.alert_key == row.alert_key)
                .values(attempts=alerts.c.attempts + 1, **values)
            )
            return sent

    def _waiting(self) -> int:
        query = sa.select(sa.func.count()).select_from(alerts).where(_WAITS)
        with self._database.begin() as transaction:
            return transaction.execute(query).scalar_one()


def _outcome(webhook: Webhook, row: Any, seconds: float) -> tuple[_Sent, dict[str, Any]]:
    """Send the row; gives what became of it and what to write into it."""
    message = WebhookMessage(
        key=row.alert_key,
        severity=row.severity,
        title=row.title,
        body=row.body,
        link=row.link,
        database=row.database_name,
        raised_at=row.raised_at,
    )
    now = sa.func.clock_timestamp()
    try:
        webhook.send(message, seconds)
    except WebhookRefused as error:
        return _Sent(False, str(error)), {"refused_at": now, "last_error": str(error)}
    except WebhookUnavailable as error:
        wait = error.wait_seconds
        if wait is None:
            wait = min(_FIRST_WAIT_SECONDS * 2 ** min(row.attempts, 10), _LONGEST_WAIT_SECONDS)
        # Not at once again, even if it says 0.
        wait = max(wait, 1.0)
        moment = now + sa.func.make_interval(0, 0, 0, 0, 0, 0, wait)
        return _Sent(False, str(error), wait), {"not_before": moment, "last_error": str(error)}
    return _Sent(True), {"delivered_at": now, "not_before": None}
