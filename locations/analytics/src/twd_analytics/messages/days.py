"""What a day is: from midnight to the next midnight in the configured time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LAST_ANSWERS = timedelta(minutes=30)
"""How long after its end a day's questions may still be answered. Until then it is not over."""


def bounds_of(day: date, timezone: str) -> tuple[datetime, datetime]:
    """First moment of the day and of the next one, in UTC; 23 to 25 hours apart."""
    zone = ZoneInfo(timezone)
    start, end = (
        datetime.combine(midnight, time(), zone).astimezone(UTC)
        for midnight in (day, day + timedelta(days=1))
    )
    return start, end


def last_days(moment: datetime, timezone: str, most: int) -> list[date]:
    """The newest `most` days that are over at `moment`, oldest first."""
    today = (moment - LAST_ANSWERS).astimezone(ZoneInfo(timezone)).date()
    return [today - timedelta(days=back) for back in range(most, 0, -1)]
