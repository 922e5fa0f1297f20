"""The outbox of alerts: each event is recorded once, and what failed is told to work again once.

Recording never waits for the webhook: `alert_delivery` empties the outbox, from a sensor alone. A
run that fails must not hang on a server that has nothing to do with it, and one sender keeps the
order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import alerts

Severity = Literal["breaking", "failure", "recovered"]

_MOST_TITLE, _MOST_BODY = 500, 20_000
_MOST_OPEN = 100
_TOLD_AGAIN_AFTER = timedelta(days=1)
_FORGOTTEN_AFTER = timedelta(days=30)


_OPEN = (alerts.c.subject != "") & alerts.c.recovered_at.is_(None)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person must know; the same `key` is the same event.

    `database` is the partition key of the source that it is about, '' = none. `subject` names what
    has failed and may work again later, '' = nothing. `is_repeat` says that it was tried again by
    itself: a failure of the same subject is then told once a day, whatever its text.
    """

    key: str
    severity: Severity
    title: str
    body: str
    link: str = ""
    database: str = ""
    subject: str = ""
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class OpenFailure:
    """The newest failure of a subject that is not known to work again."""

    key: str
    subject: str
    title: str
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class OpenFailures:
    """Some of the open failures, newest first; `next_before` gives the next ones, None = all."""

    failures: tuple[OpenFailure, ...]
    next_before: int | None


def add_alert(transaction: sa.Connection, alert: Alert) -> bool:
    """Record the alert in a transaction of the caller unless its key is known; True if new."""
    values = {
        alerts.c.alert_key: alert.key,
        alerts.c.severity: alert.severity,
        alerts.c.title: _storable(alert.title, _MOST_TITLE),
        alerts.c.body: _storable(alert.body, _MOST_BODY),
        alerts.c.link: alert.link,
        alerts.c.database_name: alert.database,
        alerts.c.subject: alert.subject,
    }
    if alert.is_repeat and _is_told(transaction, alert.subject):
        return False
    added = transaction.execute(
        insert(alerts)
        .values(values)
        .on_conflict_do_nothing(index_elements=[alerts.c.alert_key])
        .returning(alerts.c.alert_key)
    ).one_or_none()
    return added is not None


class AlertOutbox:
    """Rows of `twd.alerts`, as those who have something to tell see them."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def raise_alert(self, alert: Alert) -> bool:
        """Record the alert unless its key is known; True if it was new. Sends nothing."""
        with self._database.begin() as transaction:
            return add_alert(transaction, alert)

    def open_failures(self, before: int | None) -> OpenFailures:
        """The newest failure of each subject that failed in the last 30 days and still does.

        100 at most, because who asks does so often; `before` is the `next_before` of the last
        call, None = from the newest on.
        """
        newest = (
            sa.select(alerts)
            .where(_OPEN, alerts.c.raised_at > sa.func.now() - _FORGOTTEN_AFTER)
            .distinct(alerts.c.subject)
            .order_by(alerts.c.subject, alerts.c.sequence.desc())
            .subquery()
        )
        query = sa.select(newest).order_by(newest.c.sequence.desc()).limit(_MOST_OPEN)
        if before is not None:
            query = query.where(newest.c.sequence < before)
        with self._database.begin() as transaction:
            rows = transaction.execute(query).all()
        return OpenFailures(
            tuple(
                OpenFailure(row.alert_key, row.subject, row.title, row.raised_at) for row in rows
            ),
            rows[-1].sequence if len(rows) == _MOST_OPEN else None,
        )

    def close(self, failure: OpenFailure, alert: Alert | None = None) -> bool:
        """Close the subject's failures up to this one; True if one was open and `alert` is new.

        `alert` says that it works again; None = nobody is told.
        """
        failed = (
            sa.update(alerts)
            .where(
                _OPEN,
                alerts.c.subject == failure.subject,
                alerts.c.raised_at <= failure.raised_at,
            )
            .values(recovered_at=sa.func.now())
            .returning(alerts.c.alert_key)
        )
        with self._database.begin() as transaction:
            closed = bool(transaction.execute(failed).all())
            return closed and alert is not None and add_alert(transaction, alert)


def _is_told(transaction: sa.Connection, subject: str) -> bool:
    told = sa.exists().where(
        _OPEN,
        alerts.c.subject == subject,
        alerts.c.raised_at > sa.func.now() - _TOLD_AGAIN_AFTER,
    )
    return transaction.execute(sa.select(told)).scalar_one()


def _storable(text: str, most: int) -> str:
    """The text without what PostgreSQL cannot hold, and not longer than anybody reads."""
    clean = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"
