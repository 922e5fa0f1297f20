"""Measuring the usage of days: read, count, store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from twd_analytics.generated_sql.book import SqlBook
from twd_analytics.messages.moments import Change, with_version
from twd_analytics.messages.reading import MessageLog
from twd_analytics.usage.statistics import ConnectionUsage, usage_of_day
from twd_analytics.usage.store import QueryStatsStore


def measure_usage(
    days: Iterable[date],
    log: MessageLog,
    book: SqlBook,
    schema_changes: Iterable[Change],
    store: QueryStatsStore,
    question_characters: int,
) -> Iterator[tuple[date, list[ConnectionUsage]]]:
    """Measure and store day after day; gives what was stored. A day is in memory at a time.

    Without `question_characters` no day keeps a text any more, whenever it was measured.
    """
    if not question_characters:
        # More may have been allowed when the days before were measured.
        store.forget_questions()
    changes = list(schema_changes)
    for day in days:
        read = log.read(day)
        answers = with_version(read.answers, changes, "schema_version")
        usage = usage_of_day(answers, book, question_characters)
        store.replace_day(day, log.timezone, read.state, usage)
        # Texts of all days are kept for as long as there is a frame of one.
        del read, answers
        yield day, usage
