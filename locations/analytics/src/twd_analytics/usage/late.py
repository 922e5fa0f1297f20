"""Which days have to be measured again: their messages are no longer those that were counted. Pure.

A state is what `MessageLog.states_of` tells of a day; it begins with the number of messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

_NO_MESSAGES = "0:0"


def days_to_measure(now: Mapping[date, str], measured: Mapping[date, str]) -> dict[date, str]:
    """The days whose state is not the measured one, with it; not those that never had messages."""
    return {day: state for day, state in now.items() if state != measured.get(day, _NO_MESSAGES)}
