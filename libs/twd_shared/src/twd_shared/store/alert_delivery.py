"""Emptying the outbox of alerts into the webhook: in order, one sender at a time, with waits.

A message is marked as delivered after the webhook took it. Whoever is killed in between has it
sent again by the next sender: at least once, never lost. No lock of a row is held while the
webhook is waited for, so that alerts can be raised and closed meanwhile.

A webhook that fails at one message alone would never get those behind it. So after some attempts
another message is sent as a probe; if it gets through while the first fails again, the first is
put aside. While no probe gets through the webhook is down, and all wait.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from twd_shared.clients.webhook import (
    LONGEST_ASKED_WAIT_SECONDS,
    Webhook,
    WebhookRefused,
    WebhookUnavailable,
)
from twd_shared.clients.webhook_formats import WebhookMessage
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import alerts

BUDGET_SECONDS = 25.0
"""A tick of the sensor ends within 60 s, and Dagster needs time to start it."""

SEND_SECONDS = 10.0
"""A message that is not taken by then is given up and sent again later."""

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 30.0, 900.0

_PROBED_FROM = 5
"""The attempt of a message from which on another one is tried when it fails."""

# What a server or role may limit. PostgreSQL 16 and older do not know the second, and newer ones
# heed a change of it within a transaction only if it is lifted.
_LIMITS = sa.text(
    "select set_config(name, case name when 'transaction_timeout' then '0' else :longest end, true)"
    " from pg_settings where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')"
)

_WAITS = alerts.c.delivered_at.is_(None) & alerts.c.refused_at.is_(None)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one call did: how many were taken, how many wait, and what went wrong."""

    delivered: int = 0
    waiting: int = 0
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sent:
    """What became of one message; `wait_seconds` None = the next one may be sent at once.

    `attempts` counts this one too. `may_be_probed`: the webhook did not ask for the wait.
    """

    key: str
    delivered: bool
    attempts: int
    error: str = ""
    wait_seconds: float | None = None
    may_be_probed: bool = False


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

        A message that the webhook refuses is marked and not sent again, and so is one at which it
        alone fails. When no message gets through all wait: as long as the webhook asks for, else
        30 s, 60 s, 120 s … and 15 minutes at most. While another sender is at work nothing is done.
        """
        if self._webhook is None:
            return Delivery(0, self._waiting())
        last_start = time.monotonic() + budget_seconds - send_seconds
        delivered, errors = 0, list[str]()
        # The message that failed before another one got through.
        suspect = ""
        while time.monotonic() <= last_start:
            sent = self._send_next(self._webhook, send_seconds, suspect)
            if sent is None:
                break
            delivered += sent.delivered
            if sent.error:
                errors.append(sent.error)
            is_stuck = sent.may_be_probed and sent.attempts >= _PROBED_FROM
            if is_stuck and time.monotonic() <= last_start:
                probe = self._probe(self._webhook, send_seconds, sent)
                if probe is not None and probe.error:
                    errors.append(probe.error)
                if probe is not None and probe.delivered:
                    delivered, suspect = delivered + 1, sent.key
                    continue
            if sent.wait_seconds is not None:
                if time.monotonic() + sent.wait_seconds > last_start:
                    break
                time.sleep(sent.wait_seconds)
        return Delivery(delivered, self._waiting(), tuple(errors))

    def _send_next(self, webhook: Webhook, seconds: float, suspect: str) -> _Sent | None:
        """Send the oldest that waits; None if there is none, or none may be sent now.

        If it is the suspect and fails again, it is marked as refused.
        """
        with self._database.begin() as transaction:
            if not _is_alone(transaction):
                return None
            query = sa.select(alerts).where(_WAITS).order_by(alerts.c.sequence).limit(1)
            now = sa.func.clock_timestamp()
            # No wait is longer: what waits on has been dated by a clock that was set back since.
            latest = now + timedelta(seconds=LONGEST_ASKED_WAIT_SECONDS)
            held_up = sa.exists().where(
                _WAITS, alerts.c.not_before > now, alerts.c.not_before <= latest
            )
            row = transaction.execute(query.where(~held_up)).one_or_none()
            if row is None:
                return None
            sent, values = _outcome(webhook, row, seconds)
            if sent.may_be_probed and sent.key == suspect:
                sent, values = _put_aside(sent)
            _record(transaction, sent, values)
            return sent

    def _probe(self, webhook: Webhook, seconds: float, stuck: _Sent) -> _Sent | None:
        """Send another message than the one that is stuck; None if there is none.

        If it gets through, the stuck one may be sent at once. If not, it waits with all others, and
        nothing is written but a wait that the webhook asks for. A different one is tried each
        time, as the next may be of the same kind.
        """
        with self._database.begin() as transaction:
            if not _is_alone(transaction):
                return None
            others = sa.select(alerts.c.alert_key).where(_WAITS, alerts.c.alert_key != stuck.key)
            keys = transaction.execute(others.order_by(alerts.c.sequence)).scalars().all()
            if not keys:
                return None
            key = keys[(stuck.attempts - _PROBED_FROM) % len(keys)]
            row = transaction.execute(sa.select(alerts).where(alerts.c.alert_key == key)).one()
            sent, values = _outcome(webhook, row, seconds)
            if sent.wait_seconds is None or not sent.may_be_probed:
                _record(transaction, sent, values)
            if sent.delivered:
                at_once = sa.update(alerts).where(alerts.c.alert_key == stuck.key)
                transaction.execute(at_once.values(not_before=None))
            return sent

    def _waiting(self) -> int:
        query = sa.select(sa.func.count()).select_from(alerts).where(_WAITS)
        with self._database.begin() as transaction:
            return transaction.execute(query).scalar_one()


def _is_alone(transaction: sa.Connection) -> bool:
    """Whether no other sender is at work; none will be until the transaction ends."""
    # It is idle while the webhook is waited for. Were it ended for that, what became of the message
    # would be written down nowhere, and the same one be sent at each tick.
    transaction.execute(_LIMITS, {"longest": f"{2 * SEND_SECONDS:.0f}s"})
    # To its end, so that the next sender sees what became of the message.
    alone = "select pg_try_advisory_xact_lock(hashtextextended('twd.alerts', 0))"
    return transaction.execute(sa.text(alone)).scalar_one()


def _record(transaction: sa.Connection, sent: _Sent, values: dict[str, Any]) -> None:
    transaction.execute(
        sa.update(alerts)
        .where(alerts.c.alert_key == sent.key)
        .values(attempts=sent.attempts, **values)
    )


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
    key, attempts = row.alert_key, row.attempts + 1
    try:
        webhook.send(message, seconds)
    except WebhookRefused as error:
        refused = {"refused_at": now, "not_before": None, "last_error": str(error)}
        return _Sent(key, False, attempts, str(error)), refused
    except WebhookUnavailable as error:
        wait = error.wait_seconds
        if wait is None:
            wait = min(_FIRST_WAIT_SECONDS * 2 ** min(row.attempts, 10), _LONGEST_WAIT_SECONDS)
        # Not at once again, even if it says 0.
        wait = max(wait, 1.0)
        moment = now + sa.func.make_interval(0, 0, 0, 0, 0, 0, wait)
        sent = _Sent(key, False, attempts, str(error), wait, error.wait_seconds is None)
        return sent, {"not_before": moment, "last_error": str(error)}
    return _Sent(key, True, attempts), {"delivered_at": now, "not_before": None}


def _put_aside(sent: _Sent) -> tuple[_Sent, dict[str, Any]]:
    """What becomes of a message at which the webhook fails while it takes another one."""
    error = (
        f"{sent.error} It took another message meanwhile, so this one is not sent again by itself."
    )
    values = {"refused_at": sa.func.clock_timestamp(), "not_before": None, "last_error": error}
    return _Sent(sent.key, False, sent.attempts, error), values
