"""What a day is: from midnight to the next midnight in the configured time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def bounds_of(day: date, timezone: str) -> tuple[datetime, datetime]:
    """First moment of the day and of the next one, in UTC; 23 to 25 hours apart."""
    zone = ZoneInfo(timezone)
    start, end = (
        datetime.combine(midnight, time(), zone).astimezone(UTC)
        for midnight in (day, day + timedelta(days=1))
    )
    return start, end
