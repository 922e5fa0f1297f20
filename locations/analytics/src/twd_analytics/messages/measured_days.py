"""Rows of `twd.measured_days`: from which state of its messages each day was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal, get_args

import sqlalchemy as sa

from twd_shared.store.analytics_tables import measured_days
from twd_shared.store.database import MetadataDatabase

Measure = Literal["usage", "accuracy"]
MEASURES: tuple[Measure, ...] = get_args(Measure)

# A state begins with the number of messages.
_NO_MESSAGES = "0:0"


def begin_day(transaction: sa.Connection, measure: Measure, day: date) -> None:
    """Let one writer of a day's numbers write at a time, until the transaction ends."""
    transaction.execute(
        sa.text("select pg_advisory_xact_lock(hashtextextended(:what, 0))"),
        {"what": f"twd.measured_days:{measure}:{day.isoformat()}"},
    )


def record_day(
    transaction: sa.Connection, measure: Measure, day: date, timezone: str, state: str
) -> None:
    """Record from which state the numbers were measured that the transaction writes."""
    table = measured_days
    transaction.execute(sa.delete(table).where(table.c.day == day, table.c.measure == measure))
    transaction.execute(
        sa.insert(table).values(day=day, measure=measure, timezone=timezone, source_state=state)
    )


def measured_states(
    database: MetadataDatabase, measure: Measure, days: Sequence[date], timezone: str
) -> dict[date, str]:
    """The state that each day was measured from; a day that was not is left out."""
    measured = measured_days.c
    query = sa.select(measured.day, measured.source_state).where(
        measured.measure == measure, measured.day.in_(days), measured.timezone == timezone
    )
    with database.begin() as transaction:
        return {row.day: row.source_state for row in transaction.execute(query)}


def days_to_measure(
    now: Mapping[date, str], measured: Sequence[Mapping[date, str]]
) -> dict[date, str]:
    """The days whose messages are not those of one of the measures, with their state.

    `now` is what `MessageLog.states_of` tells. A day that never had messages is none of them.
    """
    return {
        day: state
        for day, state in sorted(now.items())
        if any(of_measure.get(day, _NO_MESSAGES) != state for of_measure in measured)
    }
