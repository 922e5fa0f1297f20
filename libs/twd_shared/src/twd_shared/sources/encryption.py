"""What `sslmode` demands of a connection to a source, as libpq reads it.

https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
"""

from __future__ import annotations

import ssl
from functools import cache

_VERIFYING = ("verify-ca", "verify-full")
DEMANDING = ("require", *_VERIFYING)
"""Modes in which nothing goes over the wire in clear."""
MODES = ("disable", "allow", "prefer", *DEMANDING)


def is_verifying(mode: str) -> bool:
    """Whether the server has to show a certificate that is trusted."""
    return mode in _VERIFYING


@cache
def encrypting(mode: str) -> ssl.SSLContext:
    """Encryption for a demanding mode, made once a process: that takes longer than a connection.

    Trusted are the authorities of this machine and, in the place of its file of them, those in the
    file that the environment variable SSL_CERT_FILE names: a connection string must not name files.
    """
    context = ssl.create_default_context()
    context.check_hostname = mode == "verify-full"
    if not is_verifying(mode):
        context.verify_mode = ssl.CERT_NONE
    return context


def refusal(mode: str) -> str:
    """Why there is no connection, for people; a clause."""
    clause = f"an encrypted connection, which sslmode={mode} demands, cannot be made"
    if not is_verifying(mode):
        return clause
    of_host = " or is of another host" if mode == "verify-full" else ""
    return (
        f"{clause}, or the server's certificate is not trusted{of_host} (authorities: this "
        "machine's, or those of SSL_CERT_FILE of the code servers)"
    )
