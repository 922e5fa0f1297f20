"""How long one reading of a source may take."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Limits in seconds: to connect, for all statements, to come by locks that others hold."""

    connect_seconds: float = 10.0
    statement_seconds: float = 60.0
    lock_seconds: float = 5.0

    def within(self, seconds: float | None) -> ReadLimits:
        """These limits for a reading that is cut off after so many seconds, if it ever is."""
        if seconds is None or seconds >= self.statement_seconds:
            return self
        return replace(self, statement_seconds=seconds)
