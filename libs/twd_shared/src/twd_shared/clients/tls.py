"""By which certificates the HTTP clients trust who they talk to."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """What httpx trusts by default, read once a process: that takes longer than most requests.

    Roots that are exchanged meanwhile (SSL_CERT_FILE) count from the next start on.
    """
    return httpx.create_ssl_context()
