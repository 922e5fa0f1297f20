"""Rows of `twd.daily_sql_accuracy`, and which knowledge base was live when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa

from twd_analytics.accuracy.report import ConnectionAccuracy
from twd_analytics.usage.statistics import ALL
from twd_analytics.usage.store import lock_day
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import daily_sql_accuracy, model_versions


class AccuracyStore:
    """Daily accuracy; a day is written as a whole."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def replace_day(self, day: date, report: Sequence[ConnectionAccuracy]) -> None:
        """Put `report` in the place of whatever the day held, in one transaction."""
        table = daily_sql_accuracy
        with self._database.begin() as transaction:
            lock_day(transaction, "daily_sql_accuracy", day)
            transaction.execute(sa.delete(table).where(table.c.day == day))
            transaction.execute(
                sa.insert(table), [{"day": day, **item.as_row()} for item in report]
            )

    def counts_of(self, day: date) -> tuple[int, int]:
        """(generated, executed) of the day over all connections; zeros if it was not measured."""
        accuracy = daily_sql_accuracy.c
        query = sa.select(accuracy.generated, accuracy.executed).where(
            accuracy.day == day, accuracy.connection_id == ALL
        )
        with self._database.begin() as transaction:
            row = transaction.execute(query).one_or_none()
        return (row.generated, row.executed) if row else (0, 0)

    def models_live_at(self, moment: datetime) -> dict[str, int]:
        """Connection id → version of the knowledge base published last before `moment`.

        One that was made and held back was never asked.
        """
        versions = model_versions.c
        query = (
            sa.select(versions.connection_id, versions.version)
            .distinct(versions.connection_id)
            .where(versions.published_at < moment, versions.held_reason == "")
            .order_by(versions.connection_id, versions.published_at.desc(), versions.version.desc())
        )
        with self._database.begin() as transaction:
            return {row.connection_id: row.version for row in transaction.execute(query)}
