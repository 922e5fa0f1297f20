"""From answers to numbers, without any database."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from twd_analytics.accuracy.errors import class_of_error
from twd_analytics.accuracy.open_questions import OpenQuestion, open_questions
from twd_analytics.accuracy.report import (
    DayAccuracy,
    ModelAccuracy,
    NameAccuracy,
    accuracy_of_day,
    kinds_of_sql,
)
from twd_analytics.generated_sql.book import SqlBook
from twd_analytics.generated_sql.facts import SqlFacts
from twd_analytics.messages.reading import SCHEMA
from twd_analytics.usage.statistics import ConnectionUsage, usage_of_day
from twd_shared.schema_model.models import Column, Snapshot, Table
from twd_shared.sql.parsing import LONGEST_SQL, parsed
from twd_shared.store.open_questions import question_hash

GOOD = {"sql": "select title from film", "result": "rows"}
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FILM = Snapshot(
    dialect="postgresql",
    database_name="shop",
    server_version="16",
    tables=(
        Table(
            schema="public",
            name="film",
            kind="table",
            columns=(Column(name="title", type="text"), Column(name="length", type="integer")),
        ),
    ),
)


def answers(*rows: dict[str, Any]) -> pl.DataFrame:
    blank = dict.fromkeys(SCHEMA) | {
        "connection_id": "1",
        "user_id": "u",
        "result": "none",
        "created_at": NOON,
        "schema_version": 0,
        "model_version": 0,
    }
    versions = {"schema_version": pl.Int32, "model_version": pl.Int32}
    return pl.DataFrame([{**blank, **row} for row in rows], schema={**SCHEMA, **versions})


def book(*postgresql: str) -> SqlBook:
    return SqlBook(lambda *_: FILM, dict.fromkeys(postgresql, "postgresql"), _refused)


def _refused(texts: Sequence[str], _server_version: str) -> set[int]:
    """What a server would refuse that takes exactly what the parser does."""
    return {place for place, text in enumerate(texts) if parsed(text, "postgresql") is None}


def usage(rows: pl.DataFrame, characters: int = 200) -> dict[str, ConnectionUsage]:
    return {day.connection_id: day for day in usage_of_day(rows, book("1"), characters)}


def accuracy(rows: pl.DataFrame) -> DayAccuracy:
    facts = book("1")
    return accuracy_of_day(kinds_of_sql(rows, facts), facts)


def test_a_table_that_no_snapshot_has_is_told_if_it_looks_like_a_name() -> None:
    sqls = (
        "select 1 from sales.orders",
        'select 1 from "where does mr secret live"',
        'select 1 from "<b>secret</b>" join "a|b" on true',
    )
    rows = answers(*({"sql": sql, "result": "rows"} for sql in sqls))
    everything = usage(rows)["*"]
    assert [(one["table"], one["count"]) for one in everything.top_tables] == [
        ("…", 2),
        ("sales.orders", 1),
    ]
    assert {name.table_name for name in accuracy(rows).names} == {"…", "sales.orders"}


def test_every_row_has_exactly_one_outcome() -> None:
    rows = answers(
        GOOD,
        {**GOOD, "result": "empty"},
        {"sql": "select title from film", "error": "boom", "result": "rows"},
        {"sql": "select title from film"},
        {"sql": "not sql at all"},
        {"sql": None},
        {"sql": None, "question": "never answered"},
    )
    everything = usage(rows)["*"]
    assert (everything.total, everything.successful) == (7, 2)
    assert (everything.failed, everything.unanswered) == (3, 2)


def test_of_sql_that_is_too_long_to_be_parsed_the_database_decides() -> None:
    long = "select title from film where title <> '" + "x" * LONGEST_SQL + "'"
    ran, failed = {**GOOD, "sql": long, "question": "which"}, {"sql": long, "error": "boom"}
    everything = usage(answers(ran, failed))["*"]
    assert (everything.successful, everything.failed, everything.top_tables) == (1, 1, [])
    found = book("1")
    of_day = kinds_of_sql(answers(ran, failed), found)
    told = accuracy_of_day(of_day, found).connections[0]
    assert (told.generated, told.parsed, told.read_only, told.executed) == (2, 0, 0, 1)
    assert (told.verdicts, told.error_classes) == ({"unchecked": 2}, {"other": 1})
    assert open_questions(of_day, 200) == []


def test_what_the_database_ran_is_a_success_in_every_table_whatever_the_parser_says() -> None:
    texts = (
        "select count(*) as select from film",
        "Here is the query: select count(*) from film",
        "select {d '2026-01-01'}",
    )
    rows = answers(*({**GOOD, "sql": text, "question": f"films {text}"} for text in texts))
    everything = usage(rows)["*"]
    assert (everything.successful, everything.failed) == (3, 0)
    assert (everything.most_common_shapes, everything.top_tables) == ([], [])
    of_day = kinds_of_sql(rows, found := book("1"))
    told = accuracy_of_day(of_day, found).connections[0]
    assert (told.generated, told.parsed, told.executed) == (3, 0, 3)
    assert (told.verdicts, told.error_classes) == ({"syntax": 3}, {})
    assert open_questions(of_day, 200) == []


def test_numbers_stand_per_connection_and_over_all() -> None:
    rows = answers(
        {**GOOD, "user_id": "a", "latency_ms": 100.0},
        {**GOOD, "user_id": "b", "latency_ms": 300.0},
        {**GOOD, "user_id": "a", "latency_ms": None, "connection_id": ""},
        {**GOOD, "user_id": None, "latency_ms": 500.0, "connection_id": "2"},
    )
    days = usage(rows)
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


def test_tables_and_columns_of_good_answers_are_named_as_the_snapshot_names_them() -> None:
    rows = answers(
        {**GOOD, "schema_version": 1},
        {**GOOD, "schema_version": 1, "sql": "SELECT title FROM Film WHERE length > 1"},
        {"schema_version": 1, "sql": "select length from film", "error": "boom"},
    )
    day = usage(rows)["1"]
    assert day.top_tables == [{"connection_id": "1", "table": "public.film", "count": 2}]
    assert [(one["column"], one["count"]) for one in day.top_columns] == [
        ("title", 2),
        ("length", 1),
    ]


def test_questions_that_differ_in_writing_only_are_one() -> None:
    rows = answers(
        {**GOOD, "question": "How many  films?"},
        {**GOOD, "question": "how many films"},
        {**GOOD, "question": "x" * 1000},
        {**GOOD, "question": "?"},
    )
    assert usage(rows, 8)["*"].most_common_questions == [
        {"question": "how man…", "count": 2},
        {"question": "xxxxxxx…", "count": 1},
    ]


def test_texts_of_questions_are_left_out_where_they_are_not_kept() -> None:
    day = usage(answers({**GOOD, "question": "How many films?"}), 0)["1"]
    assert day.most_common_questions == []
    assert day.languages == [{"language": "en", "count": 1}]


def test_shapes_of_good_answers_are_counted_without_their_literals() -> None:
    rows = answers(
        {**GOOD, "sql": "select title from film where title = 'a' limit 5"},
        {**GOOD, "sql": "```sql\nSELECT title FROM film WHERE title = 'b' LIMIT 9;\n```"},
        {**GOOD, "sql": "select 1"},
        {"sql": "select 1 +", "result": "rows"},
    )
    shapes = usage(rows)["*"].most_common_shapes
    assert [(one["sql_shape"], one["count"]) for one in shapes] == [
        ("select title from film where title = '?' limit ?", 2),
        ("select ?", 1),
    ]
    assert len({one["fingerprint"] for one in shapes}) == 2


def test_what_has_no_shape_is_not_counted_as_one() -> None:
    rows = answers(
        GOOD,
        *({**GOOD, "sql": sql} for sql in ("show search_path", "explain select title from film")),
    )
    day = usage(rows)["*"]
    assert day.successful == 3
    assert [one["sql_shape"] for one in day.most_common_shapes] == ["select title from film"]


def test_a_day_without_messages_is_measured_as_zero() -> None:
    (day,) = usage(answers()).values()
    assert (day.connection_id, day.total, day.average_response_ms) == ("*", 0, None)
    report = accuracy(answers())
    assert [one.generated for one in report.connections] == [0]
    assert report.connections[0].parsed_percent is None
    assert (report.models, report.names) == ([], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('column "full_name" does not exist', "unknown_column"),
        ('column f.full_name of relation "film" does not exist', "unknown_column"),
        ("(1054, \"Unknown column 'x' in 'field list'\")", "unknown_column"),
        ('relation "tbl_film" does not exist', "unknown_table"),
        ("(1146, \"Table 'shop.tbl_film' doesn't exist\")", "unknown_table"),
        ("FEHLER: Relation »x« existiert nicht (SQLSTATE 42P01)", "unknown_table"),
        ('column reference "film_id" is ambiguous', "ambiguous_column"),
        ("ambiguous column name: film_id", "ambiguous_column"),
        ("Column 'film_id' in field list is ambiguous", "ambiguous_column"),
        ('syntax error at or near "FORM"', "syntax"),
        ("You have an error in your SQL syntax; check the manual", "syntax"),
        ("permission denied for table staff", "permission"),
        ("cannot execute DELETE in a read-only transaction", "permission"),
        ("canceling statement due to statement timeout", "timeout"),
        ("Query execution was interrupted, maximum statement execution time exceeded", "timeout"),
        ("operator does not exist: text = integer", "type"),
        ('invalid input syntax for type integer: "x"', "type"),
        ('column "timeout" does not exist', "unknown_column"),
        ('invalid input syntax for type integer: "1205"', "type"),
        ('syntax error at or near "1146"', "syntax"),
        ("ERROR 1205 (HY000): Lock wait", "timeout"),
        ("the moon is full", None),
        ('column "usr" does not exist\nLINE 1: select timeout_seconds, usr', "unknown_column"),
        ("column s.timeout_secs does not exist", "unknown_column"),
        ("no such column: timeout", "unknown_column"),
        ('invalid input syntax for type integer: "x"\nLINE 1: … timeout >\n  ^', "type"),
        ('invalid input value for enum mood: "happy"', "type"),
        ("boom [SQL: select timeout from job]", None),
        ("for SELECT DISTINCT, ORDER BY expressions must appear in select list", "syntax"),
        ("aggregate function calls cannot be nested", "syntax"),
        ("attempt to write a readonly database", "permission"),
        ("canceling statement due to lock timeout", "timeout"),
        ("The read operation timed out", "timeout"),
        ("TimeoutError()", "timeout"),
        ("httpx.ReadTimeout: ", "timeout"),
        ("ambiguous column name: timeout", "ambiguous_column"),
        ("You have\nError 1064 : an error in your SQL syntax", "syntax"),
        ("access to staff.salary is prohibited", "permission"),
        ("(1792, 'Cannot execute statement in a READ ONLY transaction')", "permission"),
        ("The server is running with the --read-only option", "permission"),
        ('missing FROM-clause entry for table "f"', "unknown_table"),
        ('invalid reference to FROM-clause entry for table "film"', "unknown_table"),
        ("(1051, \"Unknown table 'shop.x'\")", "unknown_table"),
        ("no such function: date_trunc", "type"),
        ("wrong number of arguments to function lower()", "type"),
        ("(1582, \"Incorrect parameter count in the call to native function 'lower'\")", "type"),
        ('type "datetime" does not exist\nLINE 1: select title::datetime', "type"),
        ("operator is not unique: unknown + unknown", "type"),
        ('invalid value "x" for "YYYY"\nDETAIL:  Value must be an integer.', "type"),
        ('malformed array literal: "{1"', "type"),
        ("malformed JSON", "type"),
        ("misuse of aggregate: count()", "syntax"),
        ("(1111, 'Invalid use of group function')", "syntax"),
        ("a GROUP BY clause is required before HAVING", "syntax"),
        ("misuse of window function row_number()", "syntax"),
        ("window function row_number requires an OVER clause", "syntax"),
        ("(4015, 'Window function is allowed only in SELECT list and ORDER BY clause')", "syntax"),
        ("subquery must return only one column", "syntax"),
        ("sub-select returns 2 columns - expected 1", "syntax"),
        ("(1241, 'Operand should contain 1 column(s)')", "syntax"),
        (
            "SELECTs to the left and right of UNION do not have the same number of result columns",
            "syntax",
        ),
        ("The used SELECT statements have a different number of columns", "syntax"),
        ("VALUES lists must all be the same length", "syntax"),
        ("all VALUES must have the same number of terms", "syntax"),
        ("GROUP BY position 3 is not in select list", "syntax"),
        ("1st GROUP BY term out of range - should be between 1 and 1", "syntax"),
        ("integer out of range", "type"),
        ('table name "a" specified more than once', "syntax"),
        ("(1066, \"Not unique table/alias: 'a'\")", "syntax"),
        ("(1248, 'Every derived table must have its own alias')", "syntax"),
        ("subquery in FROM must have an alias", "syntax"),
        ('unrecognized token: ":"', "syntax"),
        ("incomplete input", "syntax"),
        ("SELECT DISTINCT ON expressions must match initial ORDER BY expressions", "syntax"),
        ("subquery has too few columns", "syntax"),
        ("could not identify an equality operator for type json", "type"),
        ("cannot subscript type integer because it does not support subscripting", "type"),
        ("(1525, \"Incorrect DATE value: '2024-13-01'\")", "type"),
        ("(4161, \"Unknown data type: 'foo'\")", "type"),
        ('common column name "a" appears more than once in left table', "ambiguous_column"),
        (
            "cannot join using column a - column not present in both tables",
            "unknown_column",
        ),
        ("division by zero", None),
        ("more than one row returned by a subquery used as an expression", None),
    ],
)
def test_error_texts_of_databases_have_a_class(text: str, expected: str | None) -> None:
    assert class_of_error(text) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"message": 'relation "permission denied" does not exist'}, "unknown_table"),
        ({"name": "Failed", "code": "42703"}, "unknown_column"),
        ({"error": {"Message": "(1064, 'You have an error in your SQL syntax')"}}, "syntax"),
        ({"sql": "select 'permission denied'", "message": "it went wrong", "detail": None}, None),
        ({"status": 500}, None),
        ({"code": ["42P01"]}, None),
        (
            {
                "code": "ER_BAD_FIELD_ERROR",
                "errno": 1054,
                "sql": "select 'permission denied'",
                "sqlState": "42S22",
                "sqlMessage": "Unknown column 'a' in 'field list'",
            },
            "unknown_column",
        ),
        ({"code": "ER_NO_SUCH_TABLE", "errno": 1146}, "unknown_table"),
        ({"errno": "1064"}, "syntax"),
        ({"errno": -111, "code": "ECONNREFUSED"}, None),
        ([{"sql": "timeout"}, {"message": 'column "a" does not exist'}], "unknown_column"),
        ({"errors": [{"message": "boom"}, {"extensions": {}, "code": "42P01"}]}, "unknown_table"),
        ({"error": {"detail": [[{"msg": "syntax error"}]]}}, "syntax"),
        ([], None),
        ([42703], "unknown_column"),
    ],
)
def test_an_error_that_is_kept_as_an_object_has_the_class_of_its_text(
    error: object, expected: str | None
) -> None:
    assert class_of_error(json.dumps(error)) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ('{"message": "column \\"a\\" does not exist", "stack": "at', "unknown_column"),
        ('{"message": "column a does not exist at', "unknown_column"),
        ('{"message": "column \\"a\\" does not exist \\u00', "unknown_column"),
        ('[{"errors": [{"Code": "42P01", "sql": "select', "unknown_table"),
        ('{"errno": 1054, "sql": "select \\"message\\": \\"timeout', "unknown_column"),
        ('{"sql": "select\n timeout", "code": "42703"}', "unknown_column"),
        ('{"sql": "select permission denied from', None),
        ("[Driver] [code 7] syntax error", "syntax"),
        ("[" * 8_000, None),
        ("[" * 4_000 + "]" * 4_000, None),
        ('{"error":' * 900 + '{"message": "syntax error"}' + "}" * 900, "syntax"),
    ],
)
def test_an_error_in_json_that_was_cut_has_the_class_of_what_is_left(
    error: str, expected: str | None
) -> None:
    assert class_of_error(error) == expected


def test_accuracy_counts_each_failure_once_with_its_class() -> None:
    rows = answers(
        {**GOOD, "schema_version": 1},
        {**GOOD, "schema_version": 1, "result": "empty"},
        {"sql": "select x from film", "error": 'column "x" does not exist', "schema_version": 1},
        {"sql": "select title FORM film where", "schema_version": 1},
        {"sql": "select * from tbl_film", "schema_version": 1},
        {"sql": "delete from film", "error": "permission denied", "schema_version": 1},
        {"sql": "select * from tbl_film", "connection_id": "2"},
        {"sql": None},
    )
    everything, one, two = accuracy(rows).connections
    assert (everything.generated, everything.parsed, everything.executed) == (7, 6, 2)
    assert (everything.read_only, one.read_only) == (5, 4)
    assert everything.parsed_percent == pytest.approx(85.7)
    assert one.error_classes == {
        "empty_result": 1,
        "permission": 1,
        "syntax": 1,
        "unknown_column": 1,
        "unknown_table": 1,
    }
    assert one.verdicts == {"valid": 3, "syntax": 1, "unknown_column": 1, "unknown_table": 1}
    assert two.error_classes == {"other": 1}
    assert two.verdicts == {"unchecked": 1}


def test_a_text_that_is_no_sql_ran_only_if_there_are_rows() -> None:
    refusals = ("I cannot answer that from this schema.", "N/A", "-- no SQL possible")
    empty = [{"sql": sql, "result": "empty", "question": "Which films?"} for sql in refusals]
    everything, _ = accuracy(answers(*empty)).connections
    assert (everything.executed, everything.error_classes) == (0, {"syntax": 3})
    day = usage(answers(*empty))["*"]
    assert (day.successful, day.failed, day.most_common_shapes) == (0, 3, [])
    (asked,) = open_questions(kinds_of_sql(answers(*empty), book("1")), 50)
    assert (asked.question, asked.failed) == ("which films", 3)
    rows = [{**one, "result": "rows"} for one in empty]
    assert usage(answers(*rows))["*"].successful == 3


def test_sql_that_gave_no_rows_ran_whatever_an_older_snapshot_says_of_its_names() -> None:
    row = {"result": "empty", "schema_version": 1}
    rows = answers({**row, "sql": "select * from new"}, {**row, "sql": "select new from film"})
    everything, _ = accuracy(rows).connections
    assert (everything.executed, everything.error_classes) == (2, {"empty_result": 2})
    assert usage(rows)["*"].successful == 2


def test_accuracy_stands_by_version_of_the_knowledge_base() -> None:
    failed = {"sql": "select title from film", "error": "boom"}
    rows = answers(
        GOOD, {**GOOD, "model_version": 3}, {**failed, "model_version": 3}, {"sql": None}
    )
    assert accuracy(rows).models == [
        ModelAccuracy("1", 0, 1, 1, 1),
        ModelAccuracy("1", 3, 2, 2, 1),
    ]


def test_accuracy_stands_by_table_and_column_the_worst_first() -> None:
    rows = answers(
        {**GOOD, "schema_version": 1},
        {"sql": "select f.rating, title from film f", "schema_version": 1},
        {"sql": "select * from tbl_film", "schema_version": 1},
        {"sql": "select * from tbl_film", "connection_id": "2"},
    )
    assert accuracy(rows).names == [
        NameAccuracy("1", "public.film", "", 2, 1, True),
        NameAccuracy("1", "public.film", "title", 2, 1, True),
        NameAccuracy("1", "", "rating", 1, 1, False),
        NameAccuracy("1", "tbl_film", "", 1, 1, False),
        NameAccuracy("2", "tbl_film", "", 1, 1, None),
    ]


def test_ten_times_the_connections_take_ten_times_as_long_and_not_a_hundred() -> None:
    facts = book("1")
    tables = tuple(f"public.t{number}" for number in range(10))
    facts.facts.append(SqlFacts("valid", reads_only=True, tables=tables))

    def seconds(connections: int) -> float:
        rows = answers(*({**GOOD, "connection_id": str(owner)} for owner in range(connections)))
        kinds = rows.with_columns(executed=True, count=1, entry=0)
        begun = time.process_time()
        assert len(accuracy_of_day(kinds, facts).names) == 10 * connections
        return time.process_time() - begun

    few = min(seconds(200) for _ in range(3))
    assert seconds(2_000) < 30 * few


def test_a_name_that_came_during_the_day_was_not_known_all_day() -> None:
    rows = answers(
        {"sql": "select rating from film", "schema_version": 1},
        {"sql": "select rating from tbl_film", "schema_version": 0},
        {"sql": "select rating from tbl_film", "schema_version": 1},
    )
    known = {(name.table_name, name.column_name): name.is_known for name in accuracy(rows).names}
    assert known["tbl_film", ""] is False
    assert known["public.film", ""] is True


def test_a_question_is_open_if_nobody_of_its_connection_got_an_answer_that_day() -> None:
    failed = {"sql": "select title from film", "error": "boom"}
    rows = answers(
        {"question": "Which films are lost?"},
        {**failed, "question": "which films are lost"},
        {"question": "How many films?"},
        {**GOOD, "question": "how many films", "user_id": "other"},
        {"question": "how many films", "connection_id": "2"},
        {"question": "Whose is it?", "connection_id": ""},
    )
    facts = book("1", "2")
    found = open_questions(kinds_of_sql(rows, facts), 9)
    lost, films = "which films are lost", "how many films"
    assert found == [
        OpenQuestion("1", question_hash(lost), "which fi…", "en", 1, 1),
        OpenQuestion("2", question_hash(films), "how many…", "en", 1, 0),
    ]
