"""Ways to the statistics of a day: ours, reading alone through ADBC, and a loop over rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import polars as pl
import sqlalchemy as sa
import sqlglot
from adbc_driver_postgresql import dbapi
from sqlglot import exp
from sqlglot.errors import SqlglotError

from benchmarks.analytics.sources import snapshot_of
from twd_analytics.generated_sql.book import SqlBook
from twd_analytics.messages.moments import with_version
from twd_analytics.messages.reading import MessageLog
from twd_analytics.usage.statistics import usage_of_day
from twd_shared.clients.application import ApplicationDatabase
from twd_shared.sql.grammar import PostgresGrammar
from twd_shared.sql.parsing import unfenced
from twd_shared.store.open_questions import normalised_question

DAY = date(2026, 3, 10)
_START = datetime(2026, 3, 10, tzinfo=UTC)
_END = _START + timedelta(days=1)
_CONNECTIONS = ("1", "2", "3")

# What the statistics are made of, as it stands in the tables.
_COLUMNS = """
select message.id, message.conversation_id, conversations.user_id, message.role,
       message.content, message.sql_query, message.query_result, message.error,
       message.latency_ms, message.connection_id, message.created_at
from messages message
left join conversations on conversations.id = message.conversation_id
where message.created_at >= '2026-03-10T00:00:00+00' and message.created_at < '2026-03-11T00:30+00'
"""


def ours(dsn: str) -> dict[str, Any]:
    """The statistics as the asset measures them, names held against snapshots."""
    with PostgresGrammar(dsn) as grammar:
        book = SqlBook(snapshot_of, dict.fromkeys(_CONNECTIONS, "postgresql"), grammar.refused)
        changes = [(one, _START - timedelta(days=1), 1) for one in _CONNECTIONS]
        read = MessageLog(ApplicationDatabase(dsn), "UTC").read(DAY)
        usage = usage_of_day(with_version(read.answers, changes, "schema_version"), book, 200)
    whole = usage[0]
    return {
        "total": whole.total,
        "successful": whole.successful,
        "failed": whole.failed,
        "unanswered": whole.unanswered,
        "users": whole.unique_users,
        "p95": whole.p95_response_ms,
        "questions": [[one["question"], one["count"]] for one in whole.most_common_questions],
        "tables": [[one["connection_id"], one["table"], one["count"]] for one in whole.top_tables],
    }


def read_alone(dsn: str) -> dict[str, Any]:
    """The same columns in a data frame, and nothing done with them."""
    with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(_COLUMNS)
        read = cursor.fetch_polars()
    assert isinstance(read, pl.DataFrame)  # noqa: S101 - said by no type
    return {"rows": read.height}


def row_loop(dsn: str) -> dict[str, Any]:
    """The same statistics by SQLAlchemy, row after row; each distinct SQL is parsed once."""
    engine = sa.create_engine(sa.make_url(dsn).set(drivername="postgresql+psycopg2"))
    query = _COLUMNS + " order by message.conversation_id, message.created_at, message.id"
    counted = _Counted()
    asked: sa.RowMapping | None = None
    is_answered = True
    with engine.connect().execution_options(yield_per=10_000) as connection:
        for row in connection.execute(sa.text(query)).mappings():
            if row["role"] == "system":
                continue
            is_other = asked is not None and asked["conversation_id"] != row["conversation_id"]
            if is_other or row["role"] == "user":
                if asked is not None and not is_answered:
                    counted.add(asked, asked)
                asked = None
            if row["role"] == "user":
                asked, is_answered = row, False
            else:
                counted.add(row, asked or row)
                is_answered = True
        if asked is not None and not is_answered:
            counted.add(asked, asked)
    engine.dispose()
    return counted.found()


class _Counted:
    """What the loop counts of a day."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._questions: Counter[str] = Counter()
        self._tables: Counter[tuple[str, str]] = Counter()
        self._users: set[str] = set()
        self._latencies: list[float] = []

    def add(self, row: sa.RowMapping, question: sa.RowMapping) -> None:
        """Count an answer to a question, or a question without one."""
        if not _START <= row["created_at"] < _END:
            return
        self._counts["total"] += 1
        if row["user_id"] is not None:
            self._users.add(row["user_id"])
        if row["latency_ms"] is not None:
            self._latencies.append(row["latency_ms"])
        if question["role"] == "user" and (asked := normalised_question(question["content"])):
            self._questions[asked] += 1
        sql = (row["sql_query"] or "").strip() if row["role"] == "assistant" else ""
        if not sql:
            self._counts["unanswered"] += 1
            return
        owner, result = row["connection_id"], row["query_result"]
        named = _tables_in(sql, "" if owner is None else str(owner))
        # A result without rows counts of what is SQL.
        if row["error"] or result is None or (named is None and not (result and result["rows"])):
            self._counts["failed"] += 1
            return
        self._counts["successful"] += 1
        self._tables.update(named or ())

    def found(self) -> dict[str, Any]:
        """The statistics."""
        self._latencies.sort()
        place = 0.95 * (len(self._latencies) - 1)
        low = self._latencies[int(place)]
        high = self._latencies[min(int(place) + 1, len(self._latencies) - 1)]
        return {
            "total": self._counts["total"],
            "successful": self._counts["successful"],
            "failed": self._counts["failed"],
            "unanswered": self._counts["unanswered"],
            "users": len(self._users),
            "p95": round(low + (high - low) * (place - int(place)), 3),
            "questions": _most(self._questions),
            "tables": [[*table, count] for table, count in _most(self._tables)],
        }


def _most(counts: Counter[Any]) -> list[list[Any]]:
    """The ten that were counted most; of equal counts what is first by name."""
    found = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [[what, count] for what, count in found[:10]]


@cache
def _tables_in(sql: str, owner: str) -> frozenset[tuple[str, str]] | None:
    """The tables of the connection's schema that are named; None = it does not parse."""
    try:
        statements = sqlglot.parse(unfenced(sql), dialect="postgres")
    except SqlglotError:
        return None
    named = {table.name for one in statements if one for table in one.find_all(exp.Table)}
    if not owner:
        return frozenset((owner, name) for name in named)
    known = {table.name for table in snapshot_of(owner, 1).tables}
    return frozenset((owner, f"public.{name}") for name in named & known)


WAYS: dict[str, Callable[[str], dict[str, Any]]] = {
    "ours": ours,
    "read_alone": read_alone,
    "row_loop": row_loop,
}
