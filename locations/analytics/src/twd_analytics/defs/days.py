"""The partitions of this location: finished days."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from twd_shared.settings import Settings

FIRST_DAY = "2026-01-01"
EVEN_IF_FEWER_TAG = "twd/even_if_fewer"
"""A run with this tag measures from what is left of messages that were deleted since."""


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """A partition a day in the configured time zone, up to yesterday."""
    return dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone=settings.timezone)


def days_of(partition_keys: Sequence[str]) -> list[date]:
    """The days of a run's partitions: one, or all of a range."""
    return [date.fromisoformat(key) for key in partition_keys]


def span_of(days: Sequence[date]) -> str:
    """How metadata name the days that something was found of, given in order."""
    if len(days) < 2:
        return days[0].isoformat() if days else "none"
    return f"{len(days)} from {days[0]} to {days[-1]}"
