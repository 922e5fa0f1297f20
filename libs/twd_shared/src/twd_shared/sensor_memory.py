"""What a sensor remembers from tick to tick, as JSON in its cursor."""

from __future__ import annotations

from typing import Self

import msgspec


class SensorMemory(msgspec.Struct):
    """Each sensor's own has fields with defaults: what it remembers before its first tick."""

    @classmethod
    def of(cls, cursor: str | None) -> Self:
        """Read it from a cursor; one that cannot be read remembers nothing."""
        try:
            return msgspec.json.decode(cursor or "{}", type=cls)
        except msgspec.DecodeError:
            return cls()

    def cursor(self) -> str:
        """The memory for the sensor's cursor."""
        return msgspec.json.encode(self, order="sorted").decode()
