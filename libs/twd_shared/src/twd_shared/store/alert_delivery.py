"""Emptying the outbox of alerts into the webhook: in order, one sender at a time, with waits.

A message is marked as delivered after the webhook took it. Whoever is killed in between has it
sent again by the next sender: at least once, never lost. No lock of a row is held while the
webhook is waited for, so that alerts can be raised and closed meanwhile.

The rule for what fails: a message is to blame only if another one gets through. So when one is
refused, or fails for the fifth time, another is sent at once. If that gets through, the first is
put aside (`refused_at`): it holds up nobody, and is tried again, ever more seldom, for a month. If
not, the webhook is down: all wait, and nobody is blamed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from twd_shared.clients.webhook import (
    LONGEST_ASKED_WAIT_SECONDS,
    Webhook,
    WebhookRefused,
    WebhookUnavailable,
    tells_refusal,
)
from twd_shared.clients.webhook_formats import WebhookMessage
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.locks import take_lock
from twd_shared.store.tables import alerts

BUDGET_SECONDS = 25.0
"""A tick of the sensor ends within 60 s, and Dagster needs time to start it."""

SEND_SECONDS = 10.0
"""A message that is not taken by then is given up and sent again later."""

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 30.0, 900.0
_FIRST_ASKED_WAIT_SECONDS = 1.0
"""The first wait if the webhook asks for one, which may be none at all."""

_SUSPECTED_FROM = 5
"""The attempt of a message from which on another one is tried when it fails."""

_MOST_REFUSED = 6
"""How many are refused one after the other until it is the webhook that refuses all."""

_GIVEN_UP_AFTER = timedelta(days=30)
"""How long a message that was put aside is tried. An older failure counts as forgotten, too."""

_LONGEST = timedelta(seconds=LONGEST_ASKED_WAIT_SECONDS)
"""No wait is longer, be it asked for or that of a message that was put aside."""

# What a server or role may limit. PostgreSQL 16 and older do not know the second, and newer ones
# heed a change of it within a transaction only if it is lifted.
_LIMITS = sa.text(
    "select set_config(name, case name when 'transaction_timeout' then '0' else :longest end, true)"
    " from pg_settings where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')"
)

_ONE = sa.select(alerts, sa.func.clock_timestamp().label("now")).limit(1)
_QUEUED = alerts.c.delivered_at.is_(None) & alerts.c.refused_at.is_(None)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one call did: how many were taken, how many wait, and what went wrong."""

    delivered: int = 0
    waiting: int = 0
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sent:
    """What became of one message; `attempts` counts this one too.

    `wait_seconds` is how long it waits now, None = it was delivered.
    """

    key: str
    attempts: int
    error: str = ""
    wait_seconds: float | None = None
    is_refused: bool = False


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

        When no message gets through all wait: 30 s, 60 s, 120 s … and 15 minutes at most; if the
        webhook asks for a wait, for that, and at least 1 s, 2 s, 4 s … While another sender is at
        work nothing is done.
        """
        if self._webhook is None:
            return Delivery(0, self._waiting())
        last_start = time.monotonic() + budget_seconds - send_seconds
        delivered, errors = 0, list[str]()
        # Those that failed since one got through.
        suspects = list[str]()
        while time.monotonic() <= last_start and len(suspects) < _MOST_REFUSED:
            sent = self._send_next(self._webhook, send_seconds, suspects)
            if sent is None:
                break
            if sent.wait_seconds is None:
                delivered += 1
                suspects.clear()
                continue
            errors.append(sent.error)
            if sent.is_refused or (sent.attempts >= _SUSPECTED_FROM and not suspects):
                suspects.append(sent.key)
            elif suspects or time.monotonic() + sent.wait_seconds > last_start:
                break
            else:
                time.sleep(sent.wait_seconds)
        return Delivery(delivered, self._waiting(), tuple(errors))

    def _send_next(self, webhook: Webhook, seconds: float, suspects: Sequence[str]) -> _Sent | None:
        """Send one message; None if there is none, or none may be sent now.

        If there are suspects it is another one, and if it gets through they are put aside.
        """
        with self._database.begin() as transaction:
            if not _is_alone(transaction):
                return None
            row = _another(transaction, suspects) if suspects else _first(transaction)
            if row is None and not suspects:
                suspects, row = _beside_refused(transaction)
            if row is None:
                return None
            sent, values = _outcome(webhook, row, seconds)
            own = sa.update(alerts).where(alerts.c.alert_key == sent.key)
            transaction.execute(own.values(attempts=sent.attempts, **values))
            if sent.wait_seconds is None and suspects:
                _put_aside(transaction, suspects)
            return sent

    def _waiting(self) -> int:
        query = sa.select(sa.func.count()).select_from(alerts).where(_QUEUED)
        with self._database.begin() as transaction:
            return transaction.execute(query).scalar_one()


def _is_alone(transaction: sa.Connection) -> bool:
    """Whether no other sender is at work; none will be until the transaction ends."""
    # It is idle while the webhook is waited for. Were it ended for that, what became of the message
    # would be written down nowhere, and the same one be sent at each tick.
    transaction.execute(_LIMITS, {"longest": f"{2 * SEND_SECONDS:.0f}s"})
    # To its end, so that the next sender sees what became of the message.
    return take_lock(transaction, "twd.alerts", wait=False)


def _first(transaction: sa.Connection) -> Any:
    """The oldest that waits, or else of those put aside the one whose wait ended first.

    None if there is neither, or the webhook is left alone for now.
    """
    now, is_early = sa.func.clock_timestamp(), _is_early()
    if transaction.execute(sa.select(sa.exists().where(_QUEUED, is_early))).scalar_one():
        return None
    queued = _ONE.where(_QUEUED).order_by(alerts.c.sequence)
    is_tried = alerts.c.delivered_at.is_(None) & (alerts.c.refused_at > now - _GIVEN_UP_AFTER)
    aside = _ONE.where(is_tried, ~is_early).order_by(
        alerts.c.not_before.nulls_first(), alerts.c.attempts, alerts.c.sequence
    )
    return transaction.execute(queued).one_or_none() or transaction.execute(aside).one_or_none()


def _is_early() -> sa.ColumnElement[bool]:
    now = sa.func.clock_timestamp()
    # What waits for longer has been dated by a clock that was set back since.
    latest = now + _LONGEST
    return sa.func.coalesce((alerts.c.not_before > now) & (alerts.c.not_before <= latest), False)


def _beside_refused(transaction: sa.Connection) -> tuple[Sequence[str], Any]:
    """What waits because it was refused, and the oldest that was not sent yet, if all do for that.

    When they were refused there was no other to tell whether they are to blame.
    """
    query = sa.select(alerts.c.alert_key, alerts.c.last_error).where(_QUEUED, _is_early())
    early = transaction.execute(query).all()
    if not early or not all(tells_refusal(row.last_error) for row in early):
        return (), None
    fresh = _ONE.where(_QUEUED, alerts.c.attempts == 0).order_by(alerts.c.sequence)
    return [row.alert_key for row in early], transaction.execute(fresh).one_or_none()


def _another(transaction: sa.Connection, suspects: Sequence[str]) -> Any:
    """The oldest of those that were sent least often; None if only the suspects wait."""
    others = _ONE.where(_QUEUED, alerts.c.alert_key.not_in(suspects))
    least_often = others.order_by(alerts.c.attempts, alerts.c.sequence)
    return transaction.execute(least_often).one_or_none()


def _put_aside(transaction: sa.Connection, keys: Sequence[str]) -> None:
    now = sa.func.clock_timestamp()
    soon = now + timedelta(seconds=_FIRST_WAIT_SECONDS)
    suspects = sa.update(alerts).where(_QUEUED, alerts.c.alert_key.in_(keys))
    transaction.execute(suspects.values(refused_at=now, not_before=soon))


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
    except (WebhookRefused, WebhookUnavailable) as error:
        asked = error.wait_seconds if isinstance(error, WebhookUnavailable) else None
        wait = _wait_seconds(row, asked)
        values = {"not_before": now + timedelta(seconds=wait), "last_error": str(error)}
        return _Sent(key, attempts, str(error), wait, isinstance(error, WebhookRefused)), values
    return _Sent(key, attempts), {"delivered_at": now, "refused_at": None, "not_before": None}


def _wait_seconds(row: Any, asked: float | None) -> float:
    """How long a message that failed waits, with all others or, if it was put aside, alone."""
    if row.refused_at is None:
        first = _FIRST_WAIT_SECONDS if asked is None else _FIRST_ASKED_WAIT_SECONDS
        own = min(first * 2 ** min(row.attempts, 10), _LONGEST_WAIT_SECONDS)
    else:
        # As long again as it has been aside, so that the waits double from when that began.
        aside = min(row.now - row.refused_at, _LONGEST)
        own = max(aside.total_seconds(), _FIRST_WAIT_SECONDS)
    return max(own, asked or 0.0)
