"""Addresses of our own PostgreSQL databases, checked before anything connects to them.

Not here: the addresses of source databases, which users write and which are checked more.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from twd_shared.errors import ConfigurationError


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


def libpq_address(url: sa.URL) -> str:
    """The address with its password as libpq reads it, to which a blank is %20 and nothing else."""
    place, mark, query = url.render_as_string(hide_password=False).partition("?")
    return place.replace(" ", "%20") + mark + query.replace("+", "%20")


def place_of(url: sa.URL) -> str:
    """Where the database is, for messages: host:port/name."""
    return f"{url.host or 'local socket'}:{url.port or 5432}/{url.database}"
