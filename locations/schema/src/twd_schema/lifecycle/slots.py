"""Spreading connections over the slots of a period, each always in the same one."""

from __future__ import annotations

import zlib


def in_slot(connection_id: str, slot: int, slots: int) -> bool:
    """Whether `slot` of `slots` (counted from 0) is the connection's own."""
    return zlib.crc32(connection_id.encode()) % slots == slot
