"""The outbox of alerts: raised once by key, kept until the webhook has taken or refused them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.clients.webhook import WebhookRefused, WebhookUnavailable, post_alert
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import alerts

Severity = Literal["breaking", "failure"]

# Each may wait for the webhook: a long outbox must not hold up the sensor that empties it.
_MOST = 50


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person must know; the same `key` is the same event."""

    key: str
    severity: Severity
    title: str
    body: str
    link: str = ""


class AlertOutbox:
    """Rows of `twd.alerts`."""

    def __init__(self, database: MetadataDatabase, webhook_url: str = "") -> None:
        """Deliver to `webhook_url`; empty = alerts are only kept."""
        self._database = database
        self._webhook_url = webhook_url

    def raise_alert(self, alert: Alert) -> bool:
        """Record the alert unless its key is known, then try to deliver; True if it was new."""
        with self._database.begin() as transaction:
            added = transaction.execute(
                insert(alerts)
                .values(
                    alert_key=alert.key,
                    severity=alert.severity,
                    title=alert.title,
                    body=alert.body,
                    link=alert.link,
                )
                .on_conflict_do_nothing()
                .returning(alerts.c.alert_key)
            ).one_or_none()
        self.deliver()
        return added is not None

    def deliver(self) -> int:
        """Send what is not delivered yet, oldest first, `_MOST` at most. Gives the count delivered.

        A message that the webhook refuses is marked and not sent again; when no message gets
        through, all wait. A row is locked while it is sent, so that two senders never send the
        same alert at once.
        """
        if not self._webhook_url:
            return 0
        delivered = 0
        for _ in range(_MOST):
            outcome = self._send_one()
            if outcome == "stop":
                break
            delivered += outcome == "delivered"
        return delivered

    def _send_one(self) -> Literal["delivered", "refused", "stop"]:
        with self._database.begin() as transaction:
            row = transaction.execute(
                sa.select(alerts)
                .where(alerts.c.delivered_at.is_(None), alerts.c.refused_at.is_(None))
                .order_by(alerts.c.raised_at, alerts.c.alert_key)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).one_or_none()
            if row is None:
                return "stop"
            update = (
                sa.update(alerts)
                .where(alerts.c.alert_key == row.alert_key)
                .values(attempts=alerts.c.attempts + 1)
            )
            try:
                post_alert(
                    self._webhook_url,
                    title=row.title,
                    body=row.body,
                    severity=row.severity,
                    link=row.link,
                )
            except WebhookRefused as error:
                transaction.execute(update.values(refused_at=sa.func.now(), last_error=str(error)))
                return "refused"
            except WebhookUnavailable as error:
                transaction.execute(update.values(last_error=str(error)))
                return "stop"
            transaction.execute(update.values(delivered_at=sa.func.now()))
            return "delivered"
