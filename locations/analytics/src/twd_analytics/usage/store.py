"""Rows of `twd.daily_query_stats`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from twd_analytics.messages.measured_days import replace_measured_day
from twd_analytics.messages.reading import ALL
from twd_analytics.usage.statistics import ConnectionUsage
from twd_shared.store.analytics_tables import daily_query_stats
from twd_shared.store.database import MetadataDatabase

# As `messages.questions.cut` does it.
_CUT_QUESTIONS = """
update twd.daily_query_stats
set most_common_questions = (
  select jsonb_agg(
    case when char_length(item ->> 'question') > :most
      then item || jsonb_build_object('question', left(item ->> 'question', :most - 1) || '…')
      else item end
    order by place)
  from jsonb_array_elements(most_common_questions) with ordinality as kept(item, place))
where exists (
  select from jsonb_array_elements(most_common_questions) as kept(item)
  where char_length(item ->> 'question') > :most)
"""


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

    def __init__(self, database: MetadataDatabase, *, even_if_fewer: bool = False) -> None:
        """Read and write through `database`; `even_if_fewer` as `replace_measured_day`."""
        self._database = database
        self._even_if_fewer = even_if_fewer

    def replace_day(
        self, day: date, timezone: str, state: str, usage: Sequence[ConnectionUsage]
    ) -> int:
        """Put `usage` in the place of whatever the day held; gives as `replace_measured_day`.

        `state` is that of the messages which it was measured from.
        """
        rows = {daily_query_stats: [item.as_row() for item in usage]}
        return replace_measured_day(
            self._database,
            "usage",
            day,
            timezone,
            state,
            rows,
            even_if_fewer=self._even_if_fewer,
        )

    def load(self, day: date) -> list[ConnectionUsage]:
        """What is stored of the day, as `usage_of_day` gave it."""
        stats = daily_query_stats.c
        names = [one.name for one in fields(ConnectionUsage)]
        query = sa.select(*(stats[name] for name in names)).where(stats.day == day)
        with self._database.begin() as transaction:
            found = [ConnectionUsage(*row) for row in transaction.execute(query)]
        return sorted(found, key=lambda one: (one.connection_id != ALL, one.connection_id))

    def limit_questions(self, characters: int) -> None:
        """Cut what every day keeps of a question to so many characters, as a day measured now.

        With 0 no question is kept. What is shorter is not written again.
        """
        kept = daily_query_stats.c.most_common_questions
        statement = (
            sa.text(_CUT_QUESTIONS).bindparams(most=characters)
            if characters
            else sa.update(daily_query_stats)
            .where(kept != sa.literal([], kept.type))
            .values(most_common_questions=[])
        )
        with self._database.begin() as transaction:
            transaction.execute(statement)

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
