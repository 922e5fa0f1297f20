"""From answers to numbers, without any database."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from twd_analytics.accuracy.errors import class_of_error
from twd_analytics.accuracy.report import accuracy_of_day
from twd_analytics.generated_sql.names import KnownNames
from twd_analytics.messages.reading import SCHEMA
from twd_analytics.usage.statistics import LONGEST_STORED_QUESTION, usage_of_day
from twd_shared.schema_model.models import Snapshot

GOOD = {"sql": "select title from film", "result": "rows"}


def answers(*rows: dict[str, Any]) -> pl.DataFrame:
    blank = dict.fromkeys(SCHEMA) | {"connection_id": "1", "user_id": "u", "result": "none"}
    return pl.DataFrame([{**blank, **row} for row in rows], schema=SCHEMA)


def test_every_row_has_exactly_one_outcome() -> None:
    rows = answers(
        GOOD,
        {**GOOD, "result": "empty"},
        {"sql": "select title from film", "error": "boom", "result": "rows"},
        {"sql": "select title from film"},
        {"sql": "not sql at all", "result": "rows"},
        {"sql": None},
        {"sql": None, "question": "never answered"},
    )
    everything = usage_of_day(rows, {"1": "postgresql"})[0]
    assert (everything.total, everything.successful) == (7, 2)
    assert (everything.failed, everything.unanswered) == (3, 2)


def test_numbers_stand_per_connection_and_over_all() -> None:
    rows = answers(
        {**GOOD, "user_id": "a", "latency_ms": 100.0},
        {**GOOD, "user_id": "b", "latency_ms": 300.0},
        {**GOOD, "user_id": "a", "latency_ms": None, "connection_id": ""},
        {**GOOD, "user_id": None, "latency_ms": 500.0, "connection_id": "2"},
    )
    days = {day.connection_id: day for day in usage_of_day(rows, {})}
    assert list(days) == ["*", "", "1", "2"]
    assert [day.total for day in days.values()] == [4, 1, 2, 1]
    assert [day.unique_users for day in days.values()] == [2, 1, 2, 0]
    assert days["*"].average_response_ms == 300
    assert days["1"].p50_response_ms == 200
    assert days["1"].p95_response_ms == pytest.approx(290)
    assert days[""].average_response_ms is None
    assert days["*"].top_tables == [
        {"connection_id": owner, "table": "film", "count": count}
        for owner, count in (("1", 2), ("", 1), ("2", 1))
    ]


def test_questions_that_differ_in_writing_only_are_one() -> None:
    rows = answers(
        {**GOOD, "question": "How many  films?"},
        {**GOOD, "question": "how many films"},
        {**GOOD, "question": "x" * 1000},
    )
    common = usage_of_day(rows, {})[0].most_common_queries
    shape = "SELECT title FROM film"
    assert common == [
        {"question": "how many films", "count": 2, "sql_shape": shape},
        {"question": "x" * LONGEST_STORED_QUESTION, "count": 1, "sql_shape": shape},
    ]


def test_a_day_without_messages_is_measured_as_zero() -> None:
    (day,) = usage_of_day(answers(), {})
    assert (day.connection_id, day.total, day.average_response_ms) == ("*", 0, None)
    (report,) = accuracy_of_day(answers(), {}, lambda _: None, {})
    assert (report.generated, report.parsed_percent) == (0, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('column "full_name" does not exist', "unknown_column"),
        ('column f.full_name of relation "film" does not exist', "unknown_column"),
        ("(1054, \"Unknown column 'x' in 'field list'\")", "unknown_column"),
        ('relation "tbl_film" does not exist', "unknown_table"),
        ("(1146, \"Table 'shop.tbl_film' doesn't exist\")", "unknown_table"),
        ("FEHLER: Relation »x« existiert nicht (SQLSTATE 42P01)", "unknown_table"),
        ('syntax error at or near "FORM"', "syntax"),
        ("You have an error in your SQL syntax; check the manual", "syntax"),
        ("permission denied for table staff", "permission"),
        ("cannot execute DELETE in a read-only transaction", "permission"),
        ("canceling statement due to statement timeout", "timeout"),
        ("Query execution was interrupted, maximum statement execution time exceeded", "timeout"),
        ("operator does not exist: text = integer", "type"),
        ('invalid input syntax for type integer: "x"', "type"),
        ("the moon is full", None),
    ],
)
def test_error_texts_of_databases_have_a_class(text: str, expected: str | None) -> None:
    assert class_of_error(text) == expected


def test_accuracy_counts_each_failure_once_with_its_class() -> None:
    rows = answers(
        GOOD,
        {**GOOD, "result": "empty"},
        {"sql": "select x from film", "error": 'column "x" does not exist'},
        {"sql": "select title FORM film where"},
        {"sql": "select * from tbl_film"},
        {"sql": "select * from tbl_film", "connection_id": "2"},
        {"sql": None},
    )
    nothing = KnownNames(Snapshot(dialect="postgresql", database_name="shop", server_version="16"))
    everything, one, two = accuracy_of_day(
        rows,
        {"1": "postgresql"},
        lambda owner: nothing if owner == "1" else None,
        {"1": 4},
    )
    assert (everything.generated, everything.parsed, everything.executed) == (6, 5, 2)
    assert everything.parsed_percent == pytest.approx(83.3)
    assert one.error_classes == {
        "empty_result": 1,
        "syntax": 1,
        "unknown_column": 1,
        "unknown_table": 1,
    }
    assert two.error_classes == {"other": 1}
    assert (everything.model_version, one.model_version, two.model_version) == (None, 4, None)
    assert one.problematic_tables == [
        {
            "connection_id": "1",
            "table": "film",
            "failed": 1,
            "generated": 3,
            "in_snapshot": False,
        },
        {
            "connection_id": "1",
            "table": "tbl_film",
            "failed": 1,
            "generated": 1,
            "in_snapshot": False,
        },
    ]
    assert two.problematic_tables[0]["in_snapshot"] is None
