"""Addresses of our own PostgreSQL databases, checked before anything connects to them.

Not here: the addresses of source databases, which users write and which are checked more.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from twd_shared.errors import ConfigurationError

# What libpq takes for itself and asyncpg would send to the server, which refuses what it does not
# know. Not among them is what says whom to speak to, or how that one has to prove it: left out,
# the address would mean another thing. Of two that may demand such a proof, see `_DEMANDING`.
_OF_LIBPQ = (
    "channel_binding",
    "connect_timeout",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "sslcompression",
    "sslsni",
    "tcp_user_timeout",
)

_DEMANDING = ("channel_binding", "gssencmode")


def postgresql_url(dsn: str, variable: str) -> sa.URL:
    """`dsn` taken apart; `variable` is the setting that held it.

    Raises: ConfigurationError, which names the variable and repeats nothing of its value.
    """
    try:
        url = sa.make_url(dsn)
    except (ArgumentError, ValueError):  # a port that is no number may be half of a password
        url = None
    if (
        url is None
        or url.get_backend_name() not in ("postgresql", "postgres")
        # An unescaped @ in a password leaves its end in the host or the name.
        or "@" in f"{url.host}{url.database}"
    ):
        raise ConfigurationError(
            f"{variable} is not a connection string of the form "
            "postgresql://user:password@host:port/database. In a password, write @ as %40, "
            "/ as %2F and : as %3A."
        )
    return url.set(drivername="postgresql")


def limits_of_silence(url: sa.URL, seconds: int) -> dict[str, int]:
    """What has libpq give up a machine that acknowledges nothing, but for what `url` says itself.

    Without them a session waits for ever: whoever was cut off cannot say so. A server that is slow,
    or stands still, is waited for, as its machine acknowledges what it gets. Of no effect on local
    sockets.
    """
    limits = {
        "keepalives_idle": max(1, seconds // 2),
        "keepalives_interval": max(1, seconds // 8),
        "keepalives_count": 4,
        # Keepalives are sent only where nothing waits for an acknowledgement. Milliseconds.
        "tcp_user_timeout": seconds * 1000,
    }
    return {name: value for name, value in limits.items() if name not in url.query}


def libpq_address(url: sa.URL) -> str:
    """The address with its password as libpq reads it, to which a blank is %20 and nothing else."""
    place, mark, query = url.render_as_string(hide_password=False).partition("?")
    return place.replace(" ", "%20") + mark + query.replace("+", "%20")


def asyncpg_address(url: sa.URL, variable: str) -> str:
    """The address with its password as asyncpg reads it, without what only libpq understands.

    `variable` is the setting that holds it. Raises ConfigurationError if it demands what asyncpg
    cannot do.
    """
    if demanded := [name for name in _DEMANDING if url.query.get(name) == "require"]:
        raise ConfigurationError(
            f"{variable} demands {demanded[0]}=require, which a driver that reads it cannot keep. "
            "Take it out; sslmode=verify-full has the server prove who it is as well."
        )
    return url.difference_update_query(_OF_LIBPQ).render_as_string(hide_password=False)


def place_of(url: sa.URL) -> str:
    """Where the database is, for messages: host:port/name."""
    return f"{url.host or 'local socket'}:{url.port or 5432}/{url.database}"
