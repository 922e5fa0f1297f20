"""Measuring the usage of days: read, count, store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from twd_analytics.messages.reading import MessageLog
from twd_analytics.usage.statistics import ConnectionUsage, usage_of_day
from twd_analytics.usage.store import QueryStatsStore


def measure_usage(
    days: Iterable[date], log: MessageLog, store: QueryStatsStore, db_types: Mapping[str, str]
) -> Iterator[tuple[date, list[ConnectionUsage]]]:
    """Measure and store day after day; gives what was stored. A day is in memory at a time."""
    for day in days:
        usage = usage_of_day(log.answers_of(day), db_types)
        store.replace_day(day, usage)
        yield day, usage
