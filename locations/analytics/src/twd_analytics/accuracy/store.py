"""Rows of `twd.daily_sql_accuracy`, the same by model and by name, and open questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from twd_analytics.accuracy.open_questions import OpenQuestion, most_asked_first
from twd_analytics.accuracy.report import (
    ConnectionAccuracy,
    DayAccuracy,
    ModelAccuracy,
    NameAccuracy,
    in_order,
)
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

    def __init__(self, database: MetadataDatabase, *, even_if_fewer: bool = False) -> None:
        """Read and write through `database`; `even_if_fewer` as `replace_measured_day`."""
        self._database = database
        self._even_if_fewer = even_if_fewer

    def replace_day(
        self,
        day: date,
        timezone: str,
        state: str,
        accuracy: DayAccuracy,
        questions: Sequence[OpenQuestion],
    ) -> int:
        """Put these in the place of whatever the day held; gives as `replace_measured_day`.

        `state` is that of the messages which they were measured from.
        """
        rows = {
            daily_sql_accuracy: [item.as_row() for item in accuracy.connections],
            daily_sql_accuracy_by_model: [item._asdict() for item in accuracy.models],
            daily_sql_accuracy_by_object: [item._asdict() for item in accuracy.names],
            daily_open_questions: [item._asdict() for item in questions],
        }
        return replace_measured_day(
            self._database,
            "accuracy",
            day,
            timezone,
            state,
            rows,
            even_if_fewer=self._even_if_fewer,
        )

    def load(self, day: date) -> tuple[DayAccuracy, list[OpenQuestion]]:
        """What is stored of the day, as `accuracy_of_day` and `open_questions` gave it."""
        of_connection = [one.name for one in fields(ConnectionAccuracy)]
        with self._database.begin() as transaction:

            def rows(table: sa.Table, names: Sequence[str]) -> Sequence[sa.Row[Any]]:
                query = sa.select(*(table.c[name] for name in names)).where(table.c.day == day)
                return transaction.execute(query).all()

            connections = rows(daily_sql_accuracy, of_connection)
            models = rows(daily_sql_accuracy_by_model, ModelAccuracy._fields)
            names = rows(daily_sql_accuracy_by_object, NameAccuracy._fields)
            questions = rows(daily_open_questions, OpenQuestion._fields)
        accuracy = in_order(
            (ConnectionAccuracy(*row) for row in connections),
            (ModelAccuracy(*row) for row in models),
            (NameAccuracy(*row) for row in names),
        )
        return accuracy, most_asked_first(OpenQuestion(*row) for row in questions)

    def limit_questions(self, characters: int) -> None:
        """Cut the questions of every day to so many characters, as `messages.questions.cut`.

        What is shorter is not written again.
        """
        kept = daily_open_questions.c.question
        cut = sa.func.left(kept, characters - 1) + "…" if characters else ""
        with self._database.begin() as transaction:
            transaction.execute(
                sa.update(daily_open_questions)
                .where(sa.func.char_length(kept) > characters)
                .values(question=cut)
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
