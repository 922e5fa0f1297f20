"""Asking PostgreSQL for everything: one short connection that only reads, and never for long.

A driver's own words are not repeated anywhere: they may tell of hosts, users and rows.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2 import extensions
from psycopg2.extras import RealDictCursor

from twd_shared.metrics.model import Query

_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 5.0
# A scrape of Prometheus waits 10 seconds.
_ALL_SECONDS = 8.0
# A server that can end its statements has ended them by then.
_GRACE_SECONDS = 1.0
# Names in the search path: Dagster's tables are where Dagster itself finds them.
_TABLES = {"dagster": "runs", "twd": "twd.connection_freshness"}

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query gave: its rows, None = it failed and `failure` says how; and how long it took.

    `failure` is a code of PostgreSQL or the name of an exception.
    """

    rows: Sequence[Row] | None
    seconds: float
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """The answers by the name of the query; `is_up` is whether PostgreSQL could be asked at all.

    A query whose tables are not there yet has no answer.
    """

    is_up: bool
    answers: Mapping[str, Answer] = field(default_factory=dict[str, Answer])
    failure: str = ""


class Reader:
    """Reads the metadata database."""

    def __init__(self, dsn: str, timezone: str, objective_seconds: int) -> None:
        """`dsn` is a postgresql:// address; nothing is contacted here."""
        # What SQLAlchemy understands is understood here: postgresql+psycopg2:// is another name.
        self._dsn = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", dsn)
        self._parameters = {"timezone": timezone}
        self._options = (
            f"-c default_transaction_read_only=on -c twd.freshness_seconds={objective_seconds}"
            " -c jit=off"
        )

    def read(self, queries: Sequence[Query]) -> Reading:
        """Ask all that can be asked within 8 seconds."""
        deadline = time.monotonic() + _ALL_SECONDS
        try:
            with closing(
                psycopg2.connect(
                    self._dsn,
                    connect_timeout=_CONNECT_SECONDS,
                    application_name="twd-metrics",
                    # After those of the address: of two, the last counts.
                    options=f"{_options_of(self._dsn)} {self._options}",
                )
            ) as connection:
                # Each statement is a transaction of its own: one that fails spoils no other.
                connection.autocommit = True
                with _cut_off_after(connection, deadline + _GRACE_SECONDS - time.monotonic()):
                    present = self._present(connection)
                    answers = {
                        query.name: self._answer(connection, query, deadline)
                        for query in queries
                        if query.origin in present
                    }
        except psycopg2.Error as error:
            return Reading(False, failure=_failure_of(error))
        return Reading(True, answers)

    def _present(self, connection: extensions.connection) -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute(f"set statement_timeout = {int(_STATEMENT_SECONDS * 1000)}")
            cursor.execute(
                "select " + ", ".join("to_regclass(%s) is not null" for _ in _TABLES),
                list(_TABLES.values()),
            )
            found = cursor.fetchone() or ()
        return {origin for origin, is_there in zip(_TABLES, found, strict=True) if is_there}

    def _answer(self, connection: extensions.connection, query: Query, deadline: float) -> Answer:
        started = time.monotonic()
        left = min(_STATEMENT_SECONDS, deadline - started)
        if left <= 0:
            return Answer(None, 0.0, "no time left")
        try:
            with connection.cursor(cursor_factory=RealDictCursor) as cursor:
                cursor.execute(f"set statement_timeout = {max(1, int(left * 1000))}")
                cursor.execute(query.sql, self._parameters)
                rows = cursor.fetchall()
        except psycopg2.Error as error:
            if connection.closed:
                raise
            return Answer(None, time.monotonic() - started, _failure_of(error))
        return Answer(rows, time.monotonic() - started)


def _options_of(dsn: str) -> str:
    return extensions.parse_dsn(dsn).get("options", "")


@contextmanager
def _cut_off_after(connection: extensions.connection, seconds: float) -> Iterator[None]:
    """End the connection if what is done with it takes longer.

    The server's own limits are of no use where it, or the way to it, falls silent: the driver would
    wait for ever, and every later scrape behind it.
    """

    def cut_off() -> None:
        # It may have ended by itself just now.
        with (
            suppress(OSError, psycopg2.Error),
            socket.socket(fileno=os.dup(connection.fileno())) as end,
        ):
            end.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(seconds, cut_off)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        # Its descriptor must not be another's before this is over.
        watch.join()


def _failure_of(error: psycopg2.Error) -> str:
    return error.pgcode or type(error).__name__
