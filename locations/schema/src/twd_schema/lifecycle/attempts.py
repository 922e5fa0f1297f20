"""How often and when a request was made, so that a failing one is repeated with growing waits.

The record lives in a sensor's cursor as JSON. It holds no secret: of a connection string only a
keyed hash, which tells that it has changed.
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec

_FIRST_WAIT_SECONDS = 60.0
_LONGEST_WAIT_SECONDS = 3600.0


class Attempt(msgspec.Struct):
    """Requests made for one wish: how many, when the last (Unix seconds), and for what."""

    wish: str
    count: int
    last: float


class Attempts:
    """The attempts by connection id."""

    def __init__(self, cursor: str | None) -> None:
        """Read the record from a sensor's cursor; an unreadable one counts as none."""
        try:
            self._by_id = msgspec.json.decode(cursor or "{}", type=dict[str, Attempt])
        except msgspec.DecodeError:
            self._by_id = {}

    def is_due(self, connection_id: str, wish: str, now: float) -> bool:
        """Whether the wish may be requested: a new wish at once, a repeated one after its wait.

        Waits are 60 s, 120 s, 240 s … and an hour at most.
        """
        attempt = self._by_id.get(connection_id)
        if attempt is None or attempt.wish != wish:
            return True
        wait = min(_FIRST_WAIT_SECONDS * 2 ** (attempt.count - 1), _LONGEST_WAIT_SECONDS)
        return now - attempt.last >= wait

    def record(self, connection_id: str, wish: str, now: float) -> int:
        """Count a request for the wish and give its number, starting with 1."""
        attempt = self._by_id.get(connection_id)
        count = attempt.count + 1 if attempt and attempt.wish == wish else 1
        self._by_id[connection_id] = Attempt(wish, count, now)
        return count

    def forget_others(self, pending: set[str]) -> None:
        """Forget every connection that wishes nothing now."""
        self._by_id = {key: value for key, value in self._by_id.items() if key in pending}

    def cursor(self) -> str:
        """The record for the sensor's cursor."""
        return msgspec.json.encode(self._by_id, order="sorted").decode()


def keyed_hash(secret: str, text: str) -> str:
    """HMAC-SHA-256 of `text`, 16 hex digits; of no use to guess `text` without `secret`."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]
