"""Measuring the usage of days: read, count, store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from twd_analytics.generated_sql.book import SqlBook
from twd_analytics.messages.moments import Change, with_version
from twd_analytics.messages.reading import MessageLog
from twd_analytics.usage.statistics import ConnectionUsage, usage_of_day
from twd_analytics.usage.store import QueryStatsStore


class MeasuredUsage(NamedTuple):
    """What is stored of a day, first over all connections.

    `fewer` = it was measured before, from so many more messages than there are, or name their
    connection, and kept.
    """

    day: date
    usage: list[ConnectionUsage]
    fewer: int


def measure_usage(
    days: Iterable[date],
    log: MessageLog,
    book: SqlBook,
    schema_changes: Iterable[Change],
    store: QueryStatsStore,
    question_characters: int,
) -> Iterator[MeasuredUsage]:
    """Measure and store day after day; gives what is stored. A day is in memory at a time.

    No day keeps more than `question_characters` of a text any more, whenever it was measured.
    """
    # More may have been allowed when the days before were measured.
    store.limit_questions(question_characters)
    changes = list(schema_changes)
    for day in days:
        read = log.read(day)
        answers = with_version(read.answers, changes, "schema_version")
        usage = usage_of_day(answers, book, question_characters)
        fewer = store.replace_day(day, log.timezone, read.state, usage)
        # Texts of all days are kept for as long as there is a frame of one.
        del read, answers
        yield MeasuredUsage(day, store.load(day) if fewer else usage, fewer)
