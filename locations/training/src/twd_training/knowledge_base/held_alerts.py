"""What is told when a version is held back, and when that is over: messages for people."""

from __future__ import annotations

from urllib.parse import quote

import sqlalchemy as sa

from twd_shared.store.alerts import Alert, add_alert
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import alerts
from twd_training.knowledge_base.versions import ModelVersion

_REMEDY = (
    "It stays as it was, without what the schema or users have made wrong. A new version is tried "
    "when anything that it is made from changes. To serve this one all the same: "
    "make promote DB={database}. A message follows when no version is held back any more."
)


class HeldAlerts:
    """Messages on one connection's held versions, in the outbox of alerts."""

    def __init__(self, database: MetadataDatabase, partition_key: str, link: str) -> None:
        """`link` is where the messages lead."""
        self._database = database
        self._partition_key = partition_key
        self._link = link

    def tell_held(self, held: ModelVersion, served: int | None) -> None:
        """Say that a version is held, unless that was told since one was last served.

        `served` is the number of the version that is served, None = none is.
        """
        told = _told_of(held.connection_id)
        with self._database.begin() as transaction:
            ended = transaction.execute(
                sa.select(sa.func.count()).where(told, alerts.c.recovered_at.is_not(None))
            ).scalar_one()
            what = f"version {served}" if served is not None else "no version"
            remedy = _REMEDY.format(database=self._partition_key)
            alert = Alert(
                # Of what was told, is over and has come again, people are told again.
                key=f"{_prefix(held.connection_id)}{ended}:{held.content_hash}:{held.model_digest}",
                severity="failure",
                title=(
                    f"{self._partition_key}: version {held.version} of the knowledge base is held"
                ),
                body=f"{held.held_reason}\nServed is {what}. {remedy}",
                link=self._link,
                database=self._partition_key,
            )
            add_alert(transaction, alert)

    def tell_none_held(self, served: ModelVersion) -> None:
        """Close what was told of held versions, and say so if anything was."""
        closed = _closing(served.connection_id).returning(alerts.c.alert_key, alerts.c.title)
        with self._database.begin() as transaction:
            rows = transaction.execute(closed).all()
            if not rows:
                return
            title = f"recovered: {self._partition_key}: version {served.version} is served"
            add_alert(
                transaction,
                Alert(
                    key=f"recovered:{max(row.alert_key for row in rows)}",
                    severity="recovered",
                    title=f"{title}, and none is held",
                    body=f"It had been told: {rows[-1].title}.",
                    link=self._link,
                    database=self._partition_key,
                ),
            )


def forget_told(database: MetadataDatabase, connection_id: str) -> None:
    """Close what was told of held versions of a connection, as these versions are gone.

    Nobody is told: whoever took the connection out, or went back to an earlier version, knows.
    """
    with database.begin() as transaction:
        transaction.execute(_closing(connection_id))


def _closing(connection_id: str) -> sa.Update:
    return (
        sa.update(alerts)
        .where(_told_of(connection_id), alerts.c.recovered_at.is_(None))
        .values(recovered_at=sa.func.now())
    )


def _told_of(connection_id: str) -> sa.ColumnElement[bool]:
    # They have no subject: a run that succeeds does not end them.
    return alerts.c.alert_key.startswith(_prefix(connection_id), autoescape=True)


def _prefix(connection_id: str) -> str:
    return f"held-version:{quote(connection_id, safe='')}:"
