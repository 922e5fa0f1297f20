"""Connections that the application no longer lists: believed only when it says so again and again.

A paused connection says itself that it is paused. One that is merely absent may be back at the
next tick: an application that answers with a fresh database, a failed filter or one page of many
must not wipe what is known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

# Ticks in a row; at 30 s a tick this is a minute for one connection, ten for a landslide.
_TICKS = 3
_TICKS_OF_A_LANDSLIDE = 20


class Absences:
    """For how many ticks in a row each known connection was not listed."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        """`counts` are ticks by connection id, as of the tick before."""
        self._counts = dict(counts)

    @property
    def counts(self) -> dict[str, int]:
        """Ticks by connection id, for the next tick."""
        return dict(self._counts)

    def count(self, absent: Collection[str], active: int) -> set[str]:
        """Count this tick's absent ids; give those that are absent too shortly to be believed.

        `active` is how many connections are known as active. More than half of them gone at once
        is a landslide, which takes longer to be believed; a single one never is.
        """
        self._counts = {item: self._counts.get(item, 0) + 1 for item in absent}
        is_landslide = len(absent) > 1 and len(absent) * 2 > active
        needed = _TICKS_OF_A_LANDSLIDE if is_landslide else _TICKS
        return {item for item, ticks in self._counts.items() if ticks < needed}
