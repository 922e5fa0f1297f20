"""Reading answers from a real application database, with the tables as they may be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from twd_analytics.messages.days import bounds_of
from twd_analytics.messages.reading import LONGEST_SQL, MessageLog
from twd_shared.clients.application import ApplicationDatabase
from twd_shared.errors import ApplicationRefused, ApplicationUnavailable, ConfigurationError

DAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)

pytestmark = pytest.mark.integration
Build = Callable[..., dict[str, Any]]


def log_of(application: Any, timezone: str = "UTC") -> MessageLog:
    return MessageLog(ApplicationDatabase(application.dsn), timezone)


def test_answers_find_their_question_and_unanswered_questions_count(
    application: Any, ask: Build, answer: Build
) -> None:
    shop = application.connect("shop")
    application.talk(
        "an",
        NOON,
        {"role": "system", "content": "rules"},
        ask("first?", connection_id=shop),
        answer("select 1", "[[1]]", latency_ms=20),
        answer("select 2", "[]", connection_id=shop),
        ask("second?"),
        ask("third?"),
        answer("  ", None, error=" "),
        ask("last?"),
    )
    read = log_of(application).answers_of(DAY).sort("question", "sql")
    kept = ("question", "sql", "result", "error", "latency_ms", "connection_id", "user_id")
    assert read.select(kept).rows() == [
        ("first?", "select 1", "rows", None, 20.0, shop, "an"),
        ("first?", "select 2", "empty", None, None, shop, "an"),
        ("last?", None, "none", None, None, "", "an"),
        ("second?", None, "none", None, None, "", "an"),
        ("third?", None, "none", None, None, "", "an"),
    ]
    assert log_of(application).count_of(DAY) == 5


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (None, "none"),
        ("null", "none"),
        ("[]", "empty"),
        ("{}", "empty"),
        ('{"columns": ["a"], "row_count": 0, "rows": []}', "empty"),
        ('[{"a": 1}]', "rows"),
        ('{"columns": ["a"], "rows": [["\\"rows\\": []"]]}', "rows"),
        ('[["' + "x" * 5000 + '"]]', "rows"),
    ],
)
def test_a_result_is_told_apart_without_reading_it(
    application: Any, answer: Build, result: str | None, state: str
) -> None:
    application.talk("an", NOON, answer("select 1", result))
    assert log_of(application).answers_of(DAY)["result"].to_list() == [state]


def test_a_conversation_over_midnight_keeps_its_question(
    application: Any, ask: Build, answer: Build
) -> None:
    midnight = datetime(2026, 3, 11, tzinfo=UTC)
    application.talk("an", midnight - timedelta(seconds=1), ask("late?"), answer("select 1", "[1]"))
    log = log_of(application)
    assert log.answers_of(DAY).height == log.count_of(DAY) == 0
    assert log.answers_of(DAY + timedelta(days=1))["question"].to_list() == ["late?"]


@pytest.mark.parametrize(
    ("timezone", "day", "hours"),
    [
        ("UTC", date(2026, 3, 29), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Asia/Ho_Chi_Minh", date(2026, 3, 29), 24),
    ],
)
def test_a_day_ends_at_midnight_of_the_zone(timezone: str, day: date, hours: int) -> None:
    start, end = bounds_of(day, timezone)
    assert end - start == timedelta(hours=hours)
    assert bounds_of(day + timedelta(days=1), timezone)[0] == end


@pytest.mark.parametrize("column_type", ["timestamptz", "timestamp"])
def test_zone_moves_messages_between_days(
    application: Any, answer: Build, column_type: str
) -> None:
    application.execute("set timezone = 'UTC'")
    application.execute(
        f"alter table messages alter created_at type {column_type} using created_at"
    )
    late = datetime(2026, 3, 10, 20, tzinfo=UTC)
    moment = late if column_type == "timestamptz" else late.replace(tzinfo=None)
    application.talk("an", moment, answer("select 1"))
    assert log_of(application).count_of(DAY) == 1
    hanoi = log_of(application, "Asia/Ho_Chi_Minh")
    assert (hanoi.count_of(DAY), hanoi.count_of(DAY + timedelta(days=1))) == (0, 1)


def test_optional_columns_may_be_absent(application: Any, ask: Build, answer: Build) -> None:
    for column in ("latency_ms", "error", "connection_id"):
        application.execute(f"alter table messages drop column {column}")
    application.talk("an", NOON, ask("q"), answer("select 1", "[1]"))
    row = log_of(application).answers_of(DAY).row(0, named=True)
    assert (row["latency_ms"], row["error"], row["connection_id"]) == (None, None, "")


def test_sql_of_a_megabyte_is_cut(application: Any, answer: Build) -> None:
    application.talk("an", NOON, answer("x" * 1_000_000))
    assert len(log_of(application).answers_of(DAY)["sql"][0]) == LONGEST_SQL + 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("drop table messages", "no table 'messages'"),
        ("drop table conversations cascade", "no table 'conversations'"),
        ("alter table messages drop column sql_query", "no column sql_query in table 'messages'"),
    ],
)
def test_missing_tables_and_columns_are_named(application: Any, change: str, says: str) -> None:
    application.execute(change)
    with pytest.raises(ApplicationRefused, match=says):
        log_of(application).answers_of(DAY)
    with pytest.raises(ApplicationRefused, match=says):
        log_of(application).count_of(DAY)


def test_only_reading_is_possible(application: Any) -> None:
    with pytest.raises(ApplicationRefused):
        ApplicationDatabase(application.dsn).fetch("delete from messages")


def test_a_slow_statement_is_ended(application: Any) -> None:
    with pytest.raises(ApplicationUnavailable, match="within 1 s"):
        ApplicationDatabase(application.dsn, statement_seconds=1).fetch("select pg_sleep(20)")


@pytest.mark.parametrize(
    ("dsn", "error"),
    [
        ("postgresql://twd:hush@127.0.0.1:1/app", ApplicationUnavailable),
        ("postgresql://twd:hush@127.0.0.1:1/app?sslmode=bogus", ConfigurationError),
        ("mysql://twd:hush@127.0.0.1/app", ConfigurationError),
        ("hush", ConfigurationError),
    ],
)
def test_a_wrong_address_is_explained_without_repeating_it(
    dsn: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match="TWD_APPLICATION_DSN") as caught:
        ApplicationDatabase(dsn).fetch("select 1")
    assert "hush" not in str(caught.value)


def test_a_wrong_password_is_refused_for_good(application: Any) -> None:
    dsn = application.dsn.replace("@", "hush@", 1)
    with pytest.raises(ApplicationRefused, match="InvalidPassword") as caught:
        ApplicationDatabase(dsn).fetch("select 1")
    assert "hush" not in str(caught.value)
