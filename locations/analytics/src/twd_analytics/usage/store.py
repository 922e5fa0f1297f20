"""Rows of `twd.daily_query_stats`, and of `twd.measured_days`, which tells what they stand on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from twd_analytics.usage.statistics import ALL, ConnectionUsage
from twd_shared.store.analytics_tables import daily_query_stats, measured_days
from twd_shared.store.database import MetadataDatabase


class DayTotals(NamedTuple):
    """A day's outcomes over all connections, and its 95th percentile of response times."""

    day: date
    total: int
    successful: int
    failed: int
    unanswered: int
    p95_response_ms: float | None


class QueryStatsStore:
    """Daily statistics; a day is written as a whole."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def replace_day(
        self, day: date, timezone: str, state: str, usage: Sequence[ConnectionUsage]
    ) -> None:
        """Put `usage` in the place of whatever the day held, in one transaction.

        `state` is that of the messages which it was measured from.
        """
        with self._database.begin() as transaction:
            lock_day(transaction, "daily_query_stats", day)
            for table in (daily_query_stats, measured_days):
                transaction.execute(sa.delete(table).where(table.c.day == day))
            transaction.execute(
                sa.insert(daily_query_stats), [{"day": day, **item.as_row()} for item in usage]
            )
            transaction.execute(
                sa.insert(measured_days).values(day=day, timezone=timezone, source_state=state)
            )

    def states_of(self, days: Sequence[date], timezone: str) -> dict[date, str]:
        """The state of messages that each day was measured from; a day not measured is left out."""
        measured = measured_days.c
        query = sa.select(measured.day, measured.source_state).where(
            measured.day.in_(days), measured.timezone == timezone
        )
        with self._database.begin() as transaction:
            return {row.day: row.source_state for row in transaction.execute(query)}

    def totals(self, last: date, days: int) -> list[DayTotals]:
        """Those of the `days` days that end with `last`; a day not measured is left out."""
        stats = daily_query_stats.c
        query = (
            sa.select(*(stats[name] for name in DayTotals._fields))
            .where(
                stats.connection_id == ALL,
                stats.day.between(last - timedelta(days=days - 1), last),
            )
            .order_by(stats.day)
        )
        with self._database.begin() as transaction:
            return [DayTotals(*row) for row in transaction.execute(query)]


def lock_day(transaction: sa.Connection, table: str, day: date) -> None:
    """Let one writer of a table's day run at a time; released at the transaction's end."""
    transaction.execute(
        sa.text("select pg_advisory_xact_lock(hashtextextended(:what, 0))"),
        {"what": f"twd.{table}:{day.isoformat()}"},
    )
