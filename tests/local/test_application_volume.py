"""Days of messages for benchmarks: as many as asked for, whole, and the same each time."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from benchmarks.analytics.message_data import fill_day, fill_days
from twd_local.application import tables

pytestmark = pytest.mark.integration
MONDAY = date(2026, 3, 2)
_CONTENT = (
    "SELECT md5(string_agg(concat_ws('|', user_id, role, content, sql_query, query_result, error, "
    "latency_ms, message.created_at, connection_id), '|' ORDER BY message.id)) "
    "FROM messages AS message JOIN conversations ON conversations.id = conversation_id"
)


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with tables.session(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_a_day_has_so_many_messages_each_in_its_conversation(services: Any) -> None:
    dsn = services.database()
    assert fill_day(dsn, MONDAY, 3000) == 3000
    joined = "FROM messages JOIN conversations ON conversations.id = conversation_id"
    assert rows(dsn, f"SELECT count(*) {joined}") == [(3000,)]
    [(assistants, users, before, late)] = rows(
        dsn,
        "SELECT count(*) FILTER (WHERE role = 'assistant'), "
        "count(*) FILTER (WHERE role = 'user'), "
        "count(*) FILTER (WHERE created_at < '2026-03-02Z'), "
        "count(*) FILTER (WHERE created_at >= '2026-03-03Z') FROM messages",
    )
    assert 1350 < assistants < 1600
    assert 1350 < users < 1600
    assert before == 0
    assert late < 30
    assert rows(dsn, "SELECT name, db_type, connection_string FROM database_connections") == [
        (name, "postgresql", "unused") for name in ("pagila", "chinook", "northwind")
    ]
    broken = "SELECT count(*) FROM messages WHERE (role = 'assistant') <> (latency_ms IS NOT NULL)"
    assert rows(dsn, broken) == [(0,)]


def test_days_repeat_with_their_seed_and_are_added_to_what_is_there(services: Any) -> None:
    first, second = services.database(), services.database()
    assert fill_days(first, MONDAY, 3, 500) == 1500
    assert fill_days(second, MONDAY, 3, 500) == 1500
    assert rows(first, _CONTENT) == rows(second, _CONTENT)
    assert fill_days(second, date(2026, 3, 9), 2, 500, seed=5) == 1000
    assert rows(second, "SELECT count(*), count(DISTINCT connection_id) FROM messages") == [
        (2500, 3)
    ]
    indexes = "SELECT count(*) FROM pg_indexes WHERE tablename IN ('messages', 'conversations')"
    assert rows(second, indexes) == [(6,)]
