"""Spreading connections over the slots of a period, each always in the same one."""

from __future__ import annotations

import zlib


def slot_of(connection_id: str, slots: int) -> int:
    """The connection's own of so many slots, counted from 0."""
    return zlib.crc32(connection_id.encode()) % slots
