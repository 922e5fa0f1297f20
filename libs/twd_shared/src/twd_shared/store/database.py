"""The connection to a PostgreSQL database of ours, whose errors name it and hide its secrets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from twd_shared.errors import ConfigurationError, MetadataUnavailable


class MetadataDatabase:
    """Transactions on the metadata database; one small pool, opened at first use."""

    def __init__(self, dsn: str) -> None:
        """`dsn` is a postgresql:// address; raises ConfigurationError if it cannot be parsed."""
        try:
            url = sa.make_url(dsn).set(drivername="postgresql+psycopg2")
        except ArgumentError:
            raise ConfigurationError(
                "TWD_METADATA_DSN is not a connection string of the form "
                "postgresql://user:password@host:port/database."
            ) from None
        self._place = f"{url.host}:{url.port or 5432}/{url.database}"
        self._engine = sa.create_engine(
            url,
            pool_size=2,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": 10, "application_name": "twd"},
        )

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction, committed at the end; raises MetadataUnavailable if the server is away."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise MetadataUnavailable(
                f"The metadata database at {self._place} is not available "
                f"({_kind(error)}). Check that PostgreSQL runs and TWD_METADATA_DSN is right."
            ) from None

    def close(self) -> None:
        """Close the pool."""
        self._engine.dispose()


def _kind(error: DBAPIError) -> str:
    return type(error.orig).__name__ if error.orig else type(error).__name__
