"""How long locks are waited for that others hold: in short waits, and with nothing held between."""

from __future__ import annotations

import asyncio
import time

_PAUSE_SECONDS = 0.3


class LockPatience:
    """Patience for one piece of work, from the first lock on that it meets."""

    def __init__(self, seconds: float) -> None:
        """`seconds` are for all locks together."""
        self._seconds = seconds
        self._ends_at: float | None = None

    async def pause(self) -> bool:
        """Wait a moment before the next attempt; False if there is to be none."""
        now = time.monotonic()
        if self._ends_at is None:
            self._ends_at = now + self._seconds
        if now > self._ends_at:
            return False
        await asyncio.sleep(_PAUSE_SECONDS)
        return True
