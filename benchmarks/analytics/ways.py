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
        "unanswered": whole.unanswered,
        "users": whole.unique_users,
        "p95": whole.p95_response_ms,
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
    counts: Counter[str] = Counter()
    questions: Counter[str] = Counter()
    tables: Counter[str] = Counter()
    users: set[str] = set()
    latencies: list[float] = []
    asked: sa.RowMapping | None = None
    with engine.connect().execution_options(yield_per=10_000) as connection:
        for row in connection.execute(sa.text(query)).mappings():
            if row["role"] == "system":
                continue
            if asked is not None and (
                row["role"] == "user" or asked["conversation_id"] != row["conversation_id"]
            ):
                _count(asked, asked, counts, questions, tables, users, latencies)
                asked = None
            if row["role"] == "user":
                asked, question = row, row
            else:
                question = asked or row
                _count(row, question, counts, questions, tables, users, latencies)
                asked = None
        if asked is not None:
            _count(asked, asked, counts, questions, tables, users, latencies)
    engine.dispose()
    latencies.sort()
    place = 0.95 * (len(latencies) - 1)
    low = latencies[int(place)]
    high = latencies[min(int(place) + 1, len(latencies) - 1)]
    return {
        "total": counts["total"],
        "unanswered": counts["unanswered"],
        "users": len(users),
        "p95": round(low + (high - low) * (place - int(place)), 3),
    }


def _count(
    row: sa.RowMapping,
    question: sa.RowMapping,
    counts: Counter[str],
    questions: Counter[str],
    tables: Counter[str],
    users: set[str],
    latencies: list[float],
) -> None:
    if not _START <= row["created_at"] < _END:
        return
    counts["total"] += 1
    if row["user_id"] is not None:
        users.add(row["user_id"])
    if row["latency_ms"] is not None:
        latencies.append(row["latency_ms"])
    if question["role"] == "user":
        questions[" ".join(question["content"].lower().split()).rstrip(".?!… ")] += 1
    sql = (row["sql_query"] or "").strip() if row["role"] == "assistant" else ""
    if not sql:
        counts["unanswered"] += 1
        return
    named = _tables_in(sql)
    if named is None or row["error"] or row["query_result"] is None:
        counts["failed"] += 1
        return
    counts["successful"] += 1
    tables.update(named)


@cache
def _tables_in(sql: str) -> frozenset[str] | None:
    try:
        statements = sqlglot.parse(unfenced(sql), dialect="postgres")
    except SqlglotError:
        return None
    return frozenset(table.name for one in statements if one for table in one.find_all(exp.Table))


WAYS: dict[str, Callable[[str], dict[str, Any]]] = {
    "ours": ours,
    "read_alone": read_alone,
    "row_loop": row_loop,
}
