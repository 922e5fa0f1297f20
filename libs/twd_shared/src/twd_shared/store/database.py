"""The connection to a PostgreSQL database of ours, whose errors name it and hide its secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import psycopg2
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from twd_shared.clients.dsn import limits_of_silence, place_of, postgresql_url
from twd_shared.errors import MetadataRefused, MetadataUnavailable
from twd_shared.settings import METADATA_DSN

SILENT_SECONDS = 60
"""How long the machine of a session's server may acknowledge nothing, until the session is lost."""

# A connection that is refused has no SQLSTATE for the driver. The first that stands there counts.
_CAUSES = (
    ("password authentication failed", "wrong user or password"),
    ("no pg_hba.conf entry", "the role may not connect from here: pg_hba.conf"),
    ('" does not exist', "there is no such database or role"),
    ("could not translate host name", "the host name is not known"),
    ("Connection refused", "nothing listens there"),
    ("timeout expired", "no answer in time"),
    ("Connection timed out", "no answer in time"),
    ("too many ", "too many connections"),
    ("remaining connection slots", "too many connections"),
)
_NOT_ALLOWED = "42501"
# The class of limits of a program: an entry of an index, a statement, a row of columns.
_TOO_LARGE = "54"
# No such schema, table, column: it is another database, or one of another release.
_MISSING = ("3F000", "42P01", "42703")


def text_rows(names: tuple[str, ...], rows: Iterable[Sequence[str]]) -> sa.TableValuedAlias:
    """The rows as a table of texts with columns of these names, sent as one array a column."""
    columns = list(zip(*rows, strict=True)) or [() for _ in names]
    return (
        sa.func.unnest(*(sa.literal(list(column), ARRAY(sa.Text)) for column in columns))
        .table_valued(*(sa.column(name, sa.Text) for name in names))
        .render_derived()
    )


class MetadataDatabase:
    """Transactions on the metadata database; one small pool, opened at first use.

    `place` is where it is, for messages: host, port and name, without what is secret.
    """

    def __init__(self, dsn: str, silent_seconds: int = SILENT_SECONDS) -> None:
        """`dsn` is a postgresql:// address, whose own limits of silence go before ours.

        Raises ConfigurationError if it cannot be parsed.
        """
        url = postgresql_url(dsn, METADATA_DSN.name)
        self.place = place_of(url)
        self._engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg2"),
            pool_size=2,
            # Whoever holds a lock in one transaction works in others: they must not wait for it.
            max_overflow=-1,
            pool_pre_ping=True,
            hide_parameters=True,
            # Upserts of many rows too would else be sent, and waited for, one by one.
            executemany_mode="values_plus_batch",
            connect_args={
                "connect_timeout": 10,
                "application_name": "twd",
                **limits_of_silence(url, silent_seconds),
            },
        )

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """A transaction, committed at the end.

        Raises MetadataUnavailable if the server is away, or its tables are not migrated yet;
        MetadataRefused if the role may not, or what is written is more than the server can keep.
        """
        return self._transaction(self._engine)

    def read(self) -> AbstractContextManager[sa.Connection]:
        """A read-only transaction whose statements all see the database of one moment.

        Raises as `begin`.
        """
        return self._transaction(
            self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        )

    def open_session(self) -> sa.Connection:
        """A session whose statements are no part of a transaction; whoever opens it closes it.

        Raises as `begin`.
        """
        with self._explained():
            return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def _transaction(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        with self._explained(), engine.begin() as connection:
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, ProgrammingError) as error:
            if told := _told(error, self.place):
                raise told from None
            if isinstance(error, ProgrammingError):
                raise
            raise MetadataUnavailable(
                f"The metadata database at {self.place} is not available "
                f"({_cause(error)}). Check that PostgreSQL runs and {METADATA_DSN.name} is right."
            ) from None

    def close(self) -> None:
        """Close the pool."""
        self._engine.dispose()


def _cause(error: DBAPIError) -> str:
    """Why it is not available, of what the driver says in English; else the error's name."""
    original = error.orig or error
    said = str(original)
    return next((cause for sign, cause in _CAUSES if sign in said), type(original).__name__)


def _told(error: DBAPIError, place: str) -> MetadataRefused | MetadataUnavailable | None:
    """What the server refused and what to do; None if it did not answer, or we made a mistake.

    It says a name of an object there, nothing else.
    """
    original = error.orig
    if not isinstance(original, psycopg2.Error):
        return None
    said = original.diag.message_primary
    if original.pgcode == _NOT_ALLOWED:
        return MetadataRefused(
            f"The metadata database at {place} refused: {said}. Check the role in "
            f"{METADATA_DSN.name}, and what it may do there."
        )
    if (original.pgcode or "").startswith(_TOO_LARGE):
        return MetadataRefused(
            f"The metadata database at {place} cannot keep what was to be written: {said}. The "
            "same fails again. Shorten in the source what is so long, or leave it out of what is "
            "read (extraction options)."
        )
    if original.pgcode in _MISSING:
        # It passes where a release is started whose migration is still going on.
        return MetadataUnavailable(
            f"The metadata database at {place} does not hold the tables of this release: {said}. "
            f"Check that {METADATA_DSN.name} names the right database. If it does, bring it up to "
            "date: make up, or python -m twd_shared.store.migrate."
        )
    return None
