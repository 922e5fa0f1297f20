"""Telling that a secret has changed without keeping it."""

from __future__ import annotations

import hashlib
import hmac


def keyed_hash(secret: str, text: str) -> str:
    """HMAC-SHA-256 of `text`, 16 hex digits; of no use to guess `text` without `secret`."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()[:16]
