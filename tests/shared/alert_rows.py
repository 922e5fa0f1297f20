"""Alerts of the tests: one to raise, those that are kept, and the wait that is over."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from twd_shared.store.alerts import Alert
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import alerts


def alert(key: str = "a") -> Alert:
    return Alert(key, "breaking", f"title {key}", "body", "http://ui/runs/1", "shop")


def kept(database: MetadataDatabase) -> list[Any]:
    with database.begin() as transaction:
        return list(transaction.execute(sa.select(alerts).order_by(alerts.c.sequence)))


def waits_end(database: MetadataDatabase) -> None:
    """Let the time pass for which the webhook is left alone."""
    with database.begin() as transaction:
        transaction.execute(sa.update(alerts).values(not_before=sa.func.now()))
