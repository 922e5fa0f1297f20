"""Rows of `twd.measured_days`: from which state of its messages each day was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal, get_args

import sqlalchemy as sa

from twd_shared.store.analytics_tables import measured_days
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.locks import take_lock

Measure = Literal["usage", "accuracy"]
MEASURES: tuple[Measure, ...] = get_args(Measure)

# No messages have it: those of a day are others where the day begins at another moment.
_OF_ANOTHER_ZONE = ""


def replace_measured_day(
    database: MetadataDatabase,
    measure: Measure,
    day: date,
    timezone: str,
    state: str,
    rows: Mapping[sa.Table, Sequence[Mapping[str, Any]]],
    *,
    even_if_fewer: bool,
) -> int:
    """Put `rows` in the place of what their tables held of the day, in one transaction.

    `state` is that of the messages which they were measured from. One writer of a day's numbers
    writes at a time. A day that was measured from more messages, or of which more named their
    connection, is kept, unless `even_if_fewer`: the others cannot be counted any more. Gives how
    many more they were; 0 = it was written.
    """
    own = measured_days
    is_own = sa.and_(own.c.day == day, own.c.measure == measure)
    with database.begin() as transaction:
        take_lock(transaction, f"twd.measured_days:{measure}:{day.isoformat()}")
        before = sa.select(own.c.source_state).where(is_own, own.c.timezone == timezone)
        fewer = messages_gone(transaction.execute(before).scalar(), state)
        if fewer and not even_if_fewer:
            return fewer
        for table, values in rows.items():
            transaction.execute(sa.delete(table).where(table.c.day == day))
            if values:
                transaction.execute(sa.insert(table), [{"day": day, **row} for row in values])
        transaction.execute(sa.delete(own).where(is_own))
        transaction.execute(
            sa.insert(own).values(day=day, measure=measure, timezone=timezone, source_state=state)
        )
    return 0


def measured_states(
    database: MetadataDatabase, measure: Measure, days: Sequence[date], timezone: str
) -> dict[date, str]:
    """The state that each day was measured from; a day that was not is left out.

    One that was measured in another zone than `timezone` has a state that is never that of now.
    """
    measured = measured_days.c
    state = sa.case((measured.timezone == timezone, measured.source_state), else_=_OF_ANOTHER_ZONE)
    query = sa.select(measured.day, state.label("state")).where(
        measured.measure == measure, measured.day.in_(days)
    )
    with database.begin() as transaction:
        return {row.day: row.state for row in transaction.execute(query)}


def messages_gone(measured: str | None, now: str) -> int:
    """How many messages fewer than in the state that a day was measured from there are now.

    Or how many fewer name a connection, if that is more: an application that deletes a connection
    may take it from its messages. None are gone of a day that was not measured, or in another zone.
    """
    if not measured:
        return 0
    counts = zip(_counts_of(measured), _counts_of(now), strict=False)
    return max(0, *(before - after for before, after in counts))


def is_measured_from(measured: str | None, now: str) -> bool:
    """Whether the state that a day was measured from is that of now."""
    # What was stored before said nothing of connections.
    is_old = measured is not None and measured.count(":") == 1
    return measured == now or (is_old and now.startswith(f"{measured}:"))


def has_none(state: str) -> bool:
    """Whether a state is that of no messages."""
    return _counts_of(state)[0] == 0


def first_measured_day(database: MetadataDatabase) -> date | None:
    """The first day that was ever measured; None = there is none."""
    with database.begin() as transaction:
        return transaction.execute(sa.select(sa.func.min(measured_days.c.day))).scalar()


def days_to_measure(
    now: Mapping[date, str], measured: Sequence[Mapping[date, str]], first: date | None
) -> dict[date, str]:
    """The days with messages that one of the measures does not know, with their state.

    `now` is what `MessageLog.states_of` tells. A day with fewer messages than were measured, as
    `messages_gone` counts them, is none of them. One without any is, if it was not measured and
    `first`, the first of all, was: only then do its numbers say that nothing was asked.
    """
    return {
        day: state
        for day, state in sorted(now.items())
        if any(
            _is_new(of_measure.get(day), state, is_later=first is not None and day >= first)
            for of_measure in measured
        )
    }


def _is_new(measured: str | None, now: str, *, is_later: bool) -> bool:
    if measured is None:
        return is_later or not has_none(now)
    return not is_measured_from(measured, now) and not messages_gone(measured, now)


def _counts_of(state: str) -> list[int]:
    """How many messages a state is of, and how many of them name their connection if it says so."""
    messages, _, *named = state.split(":")
    return [int(messages), *map(int, named)]
