"""Heavy tails: of what can be chosen, few things are chosen most of the time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


class Popular(Generic[T]):
    """Things by popularity, the most popular first (Zipf's law with a flattened head)."""

    def __init__(self, ranked: Sequence[T], head: float = 1.0) -> None:
        """Weight of rank r, from 0 on, is 1 / (r + head); a larger head has no single winner."""
        self.ranked = ranked
        self._weights = list(accumulate(1 / (rank + head) for rank in range(len(ranked))))

    def pick(self, draw: random.Random) -> T:
        """One of them."""
        return draw.choices(self.ranked, cum_weights=self._weights)[0]
