"""Rows of `twd.daily_query_stats`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import sqlalchemy as sa

from twd_analytics.usage.statistics import ALL, ConnectionUsage
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import daily_query_stats


class QueryStatsStore:
    """Daily statistics; a day is written as a whole."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def replace_day(self, day: date, usage: Sequence[ConnectionUsage]) -> None:
        """Put `usage` in the place of whatever the day held, in one transaction."""
        with self._database.begin() as transaction:
            lock_day(transaction, "daily_query_stats", day)
            transaction.execute(sa.delete(daily_query_stats).where(daily_query_stats.c.day == day))
            transaction.execute(
                sa.insert(daily_query_stats), [{"day": day, **item.as_row()} for item in usage]
            )

    def totals(self, last: date, days: int) -> list[tuple[date, int, int]]:
        """(day, total, failed) over all connections of the `days` days that end with `last`."""
        stats = daily_query_stats.c
        query = (
            sa.select(stats.day, stats.total, stats.failed)
            .where(
                stats.connection_id == ALL,
                stats.day.between(last - timedelta(days=days - 1), last),
            )
            .order_by(stats.day)
        )
        with self._database.begin() as transaction:
            return [(row.day, row.total, row.failed) for row in transaction.execute(query)]


def lock_day(transaction: sa.Connection, table: str, day: date) -> None:
    """Let one writer of a table's day run at a time; released at the transaction's end."""
    transaction.execute(
        sa.text("select pg_advisory_xact_lock(hashtextextended(:what, 0))"),
        {"what": f"twd.{table}:{day.isoformat()}"},
    )
