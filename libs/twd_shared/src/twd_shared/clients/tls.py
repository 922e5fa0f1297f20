"""By which certificates the HTTP clients trust who they talk to."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """What httpx trusts by default; made once a process, as a client alone takes a hundredth."""
    return httpx.create_ssl_context()
