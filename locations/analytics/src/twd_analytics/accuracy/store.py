"""Rows of `twd.daily_sql_accuracy`, the same by model and by name, and open questions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from twd_analytics.accuracy.open_questions import OpenQuestion
from twd_analytics.accuracy.report import DayAccuracy
from twd_analytics.messages.measured_days import replace_measured_day
from twd_analytics.messages.reading import ALL
from twd_shared.store.analytics_tables import (
    daily_open_questions,
    daily_sql_accuracy,
    daily_sql_accuracy_by_model,
    daily_sql_accuracy_by_object,
)
from twd_shared.store.database import MetadataDatabase


class DayRates(NamedTuple):
    """A day's counts over all connections."""

    day: date
    generated: int
    parsed: int
    executed: int


class AccuracyStore:
    """Daily accuracy; a day is written as a whole."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def replace_day(
        self,
        day: date,
        timezone: str,
        state: str,
        accuracy: DayAccuracy,
        questions: Sequence[OpenQuestion],
    ) -> None:
        """Put these in the place of whatever the day held, in one transaction.

        `state` is that of the messages which they were measured from.
        """
        rows = {
            daily_sql_accuracy: [item.as_row() for item in accuracy.connections],
            daily_sql_accuracy_by_model: [item._asdict() for item in accuracy.models],
            daily_sql_accuracy_by_object: [item._asdict() for item in accuracy.names],
            daily_open_questions: [item._asdict() for item in questions],
        }
        replace_measured_day(self._database, "accuracy", day, timezone, state, rows)

    def forget_questions(self) -> None:
        """Take the texts of questions out of every day that was measured."""
        with self._database.begin() as transaction:
            transaction.execute(
                sa.update(daily_open_questions)
                .where(daily_open_questions.c.question != "")
                .values(question="")
            )

    def rates(self, last: date, days: int) -> list[DayRates]:
        """Those of the `days` days that end with `last`; a day not measured is left out."""
        accuracy = daily_sql_accuracy.c
        query = (
            sa.select(*(accuracy[name] for name in DayRates._fields))
            .where(
                accuracy.connection_id == ALL,
                accuracy.day.between(last - timedelta(days=days - 1), last),
            )
            .order_by(accuracy.day)
        )
        with self._database.begin() as transaction:
            return [DayRates(*row) for row in transaction.execute(query)]
