"""Reading answers from a real application database, with the tables as they may be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from twd_analytics.accuracy.errors import class_of_error
from twd_analytics.messages.columnar import batches
from twd_analytics.messages.days import bounds_of, last_days
from twd_analytics.messages.reading import MessageLog
from twd_shared.clients.application import ApplicationDatabase
from twd_shared.errors import ApplicationRefused, ApplicationUnavailable, ConfigurationError
from twd_shared.sql.parsing import LONGEST_SQL
from twd_shared.store.open_questions import as_read

from ..lock_waits import wait_for_a_waiting_session

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
    read = log_of(application).read(DAY).answers
    kept = ("question", "sql", "result", "error", "latency_ms", "connection_id", "user_id")
    assert sorted(read.select(kept).rows(), key=str) == [
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
        ('[{"id": 1, "data": []}]', "rows"),
        ('{"data": [{"rows": []}]}', "rows"),
        ('{"data": [ ], "rows": null}', "empty"),
        ('"null"', "none"),
        ('""', "none"),
        ('"[]"', "empty"),
        ('"{\\"rows\\": []}"', "empty"),
        ('"[[1]]"', "rows"),
        ('"no rows: []"', "rows"),
        ('{"success": true, "results": []}', "empty"),
        ('[{"columns": ["a"], "rows": []}]', "empty"),
        ('[{"columns": ["a"], "rows": [[1]]}]', "rows"),
        ('{"error": null, "rows": [[1]]}', "rows"),
        ('{"error": false, "errors": [], "rows": [[1]]}', "rows"),
        ('[{"error": "of a row"}]', "rows"),
    ],
)
def test_a_result_is_told_apart_without_reading_it(
    application: Any, answer: Build, result: str | None, state: str
) -> None:
    application.talk("an", NOON, answer("select 1", result))
    assert log_of(application).read(DAY).answers["result"].to_list() == [state]


@pytest.mark.parametrize("letter", ["a", "ố", "😀"])
@pytest.mark.parametrize("characters", [1_999, 2_001, 2_700, 8_001])
def test_of_a_question_is_read_what_is_compared_of_it(
    application: Any, ask: Build, letter: str, characters: int
) -> None:
    application.talk("an", NOON, ask(letter * characters))
    [read] = log_of(application).read(DAY).answers["question"].to_list()
    assert read == as_read(letter * characters)


MIDNIGHT = datetime(2026, 3, 11, tzinfo=UTC)


def test_a_conversation_over_midnight_keeps_its_question(
    application: Any, ask: Build, answer: Build
) -> None:
    shop = application.connect("shop")
    late = ask("late?", connection_id=shop)
    application.talk("an", MIDNIGHT - timedelta(seconds=1), late, answer("select 1", "[1]"))
    log = log_of(application)
    assert log.read(DAY).answers.height == log.count_of(DAY) == 0
    [answered] = log.read(DAY + timedelta(days=1)).answers.to_dicts()
    assert (answered["question"], answered["connection_id"]) == ("late?", shop)


def test_a_question_is_unanswered_once_its_day_is_over_for_half_an_hour(
    application: Any, ask: Build, answer: Build
) -> None:
    for minutes in (20, 40):
        moment = MIDNIGHT + timedelta(minutes=minutes)
        application.talk(
            "an", MIDNIGHT - timedelta(hours=1), ask(f"{minutes}?"), answer(created_at=moment)
        )
    log = log_of(application)
    assert log.read(DAY).answers["question"].to_list() == ["40?"]
    assert log.count_of(DAY) == 1
    assert set(log.read(DAY + timedelta(days=1)).answers["question"]) == {"20?", "40?"}


def test_a_message_without_conversation_stands_alone(
    application: Any, ask: Build, answer: Build
) -> None:
    application.execute("alter table messages alter conversation_id drop not null")
    application.talk("an", NOON, ask("one?", conversation_id=None), answer("select 1", "[1]"))
    application.talk("an", NOON, ask("two?"), answer("select 2", "[1]", conversation_id=None))
    log = log_of(application)
    read = log.read(DAY).answers.select("question", "sql", "user_id").rows()
    assert sorted(read, key=str) == [
        ("one?", None, None),
        ("two?", None, "an"),
        (None, "select 1", "an"),
        (None, "select 2", None),
    ]
    assert log.count_of(DAY) == 4


@pytest.mark.parametrize(
    "id_type", ["bigint", "uuid", "uuid, and an enum of roles", "uuid, and an enum of ROLES"]
)
def test_a_question_and_its_answer_may_bear_the_same_moment(
    application: Any, ask: Build, answer: Build, id_type: str
) -> None:
    if "enum" in id_type:
        case = "upper" if "ROLES" in id_type else "lower"
        roles = ", ".join(f"'{getattr(role, case)()}'" for role in ("system", "user", "assistant"))
        for statement in (
            f"create type role as enum ({roles})",
            "alter table messages drop constraint messages_role_check",
            f"alter table messages alter role type role using {case}(role)::role",
        ):
            application.execute(statement)
    if "uuid" in id_type:
        for statement in (
            "alter table messages drop constraint messages_conversation_id_fkey",
            "alter table messages alter id drop identity",
            "alter table messages alter id type uuid using gen_random_uuid()",
            "alter table messages alter id set default gen_random_uuid()",
            "alter table messages alter conversation_id type uuid using gen_random_uuid()",
            "alter table conversations alter id drop identity",
            "alter table conversations alter id type uuid using gen_random_uuid()",
            "alter table conversations alter id set default gen_random_uuid()",
        ):
            application.execute(statement)
    spelt = str.upper if "ROLES" in id_type else str
    for number in range(8):
        application.talk(
            "an",
            NOON,
            ask(f"{number}?", created_at=NOON, role=spelt("user")),
            answer(f"select {number}", "[1]", created_at=NOON, role=spelt("assistant")),
        )
    log = log_of(application)
    assert log.count_of(DAY) == 8
    assert log.states_of([DAY])[DAY] == log.read(DAY).state
    pairs = log.read(DAY).answers.select("question", "sql").rows()
    assert sorted(pairs) == [(f"{number}?", f"select {number}") for number in range(8)]
    assert log.count_of(DAY) == 8


def test_an_enum_without_the_roles_that_are_known_gives_no_answers_and_no_error(
    application: Any, ask: Build
) -> None:
    for statement in (
        "create type speaker as enum ('human', 'bot')",
        "alter table messages drop constraint messages_role_check",
        "alter table messages alter role type speaker using 'human'",
    ):
        application.execute(statement)
    application.talk("an", NOON, ask("a?", role="human"))
    log = log_of(application)
    assert log.read(DAY).answers.is_empty()
    assert (log.count_of(DAY), log.roles_of(DAY)) == (0, ["human"])


def test_the_state_of_a_day_tells_every_change_of_its_messages(
    application: Any, ask: Build, answer: Build
) -> None:
    log = log_of(application)
    other_day = DAY + timedelta(days=2)
    states = [log.states_of([DAY])[DAY]]
    assert states == ["0:0:0"]

    def changed(statement: str) -> None:
        application.execute(statement)
        states.append(log.states_of([DAY])[DAY])

    application.talk("an", NOON, ask("a?"), answer("select 1", "[1]"))
    states.append(log.states_of([DAY])[DAY])
    changed("update messages set error = 'late' where role = 'assistant'")
    changed("delete from messages where role = 'user'")
    changed("update messages set role = 'user'")
    assert len(set(states)) == len(states)
    assert log.read(DAY).state == states[-1]
    application.talk("an", NOON + timedelta(days=2), ask("b?"))
    assert log.states_of([DAY, other_day])[DAY] == states[-1]


@pytest.mark.parametrize(
    ("column", "column_type", "told"),
    [
        ("error", "json", "null"),
        ("error", "boolean", "false"),
        ("latency_ms", "interval", "1 minute"),
        ("latency_ms", "text", "quick"),
    ],
)
def test_an_optional_column_of_an_odd_type_tells_nothing(
    application: Any, answer: Build, column: str, column_type: str, told: str
) -> None:
    application.execute(f"alter table messages drop column {column}")
    application.execute(f"alter table messages add column {column} {column_type}")
    application.talk("an", NOON, answer("select 1", "[1]", **{column: told}))
    [row] = log_of(application).read(DAY).answers.to_dicts()
    assert (row[column], row["sql"], row["result"]) == (None, "select 1", "rows")


@pytest.mark.parametrize("has_column", [True, False])
@pytest.mark.parametrize(
    "result",
    [
        '{"error": "relation \\"flim\\" does not exist"}',
        '{"success": false, "message": "relation \\"flim\\" does not exist", "results": []}',
        '{"errors": [{"message": "relation does not exist"}], "rows": null}',
        '"{\\"error\\": \\"relation does not exist\\"}"',
    ],
)
def test_an_error_that_is_kept_as_the_result_is_the_error(
    application: Any, answer: Build, result: str, has_column: bool
) -> None:
    if not has_column:
        application.execute("alter table messages drop column error")
    application.talk("an", NOON, answer("select 1 from flim", result))
    [row] = log_of(application).read(DAY).answers.to_dicts()
    assert row["result"] == "none"
    assert class_of_error(row["error"]) == "unknown_table"


def test_an_error_beside_one_in_the_result_is_kept(application: Any, answer: Build) -> None:
    application.talk("an", NOON, answer("select 1", '{"error": "x"}', error="boom"))
    assert log_of(application).read(DAY).answers["error"].to_list() == ["boom"]


@pytest.mark.parametrize("id_type", ["text", "integer", "numeric(10, 2)", "varchar(20)"])
def test_a_conversation_is_found_though_its_id_is_of_another_type_in_each_table(
    application: Any, ask: Build, answer: Build, id_type: str
) -> None:
    for statement in (
        "alter table messages drop constraint messages_conversation_id_fkey",
        f"alter table messages alter conversation_id type {id_type}",
    ):
        application.execute(statement)
    application.talk("an", NOON - timedelta(days=1), ask("yesterday?"))
    application.talk("bao", NOON, ask("q?"), answer("select 1", "[1]"))
    application.execute(
        "insert into messages (conversation_id, role, content, created_at)"
        " select id, 'assistant', '…', %s from conversations where user_id = 'an'",
        NOON,
    )
    read = log_of(application).read(DAY).answers
    assert sorted(read.select("user_id", "question").rows()) == [
        ("an", "yesterday?"),
        ("bao", "q?"),
    ]
    assert log_of(application).count_of(DAY) == 2


@pytest.mark.parametrize("id_type", ["double precision", "real", "numeric(10, 2)", "numeric"])
def test_a_connection_is_known_though_its_id_is_written_with_a_fraction(
    application: Any, ask: Build, answer: Build, id_type: str
) -> None:
    for number in range(10):
        shop = application.connect(f"shop {number}")
    for statement in (
        "alter table messages drop constraint messages_connection_id_fkey",
        f"alter table messages alter connection_id type {id_type}",
    ):
        application.execute(statement)
    early = ask("early?", connection_id=shop)
    application.talk("an", NOON - timedelta(days=1), early, answer("select 1", created_at=NOON))
    application.talk("an", NOON, answer("select 2", connection_id=shop))
    read = log_of(application).read(DAY).answers
    assert (shop, read["connection_id"].to_list()) == ("10", ["10", "10"])


@pytest.mark.parametrize("nothing", ["null", "{}", " [ ]", '""', "{ }"])
def test_an_error_in_json_that_says_nothing_is_none(
    application: Any, answer: Build, nothing: str
) -> None:
    application.execute("alter table messages alter error type jsonb using to_jsonb(error)")
    said = {"error": '{"code": "42P01"}'}
    application.talk("an", NOON, answer("select 1", "[1]", error=nothing))
    application.talk("an", NOON, answer("select 1", None, **said))
    assert set(log_of(application).read(DAY).answers["error"]) == {None, said["error"]}


def test_a_conversation_of_several_users_counts_once(
    application: Any, ask: Build, answer: Build
) -> None:
    application.talk("bao", NOON, ask("a?"), answer("select 1", "[1]"))
    application.talk("chi", NOON, ask("b?"))
    application.execute("alter table conversations rename to kept_conversations")
    application.execute(
        "create view conversations as select id, user_id from kept_conversations"
        " union all select id, 'an' from kept_conversations where user_id = 'bao'"
    )
    log = log_of(application)
    read = log.read(DAY)
    asked = read.answers.select("user_id", "question").rows()
    assert sorted(asked) == [("an", "a?"), ("chi", "b?")]
    assert read.state == log.states_of([DAY])[DAY]
    assert log.count_of(DAY) == 2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            (
                "alter table messages alter created_at drop default",
                "alter table messages alter created_at type bigint using 0",
            ),
            "messages.created_at is bigint, and no timestamp",
        ),
        (
            (
                "alter table messages drop constraint messages_role_check",
                "alter table messages alter role type integer using 1",
            ),
            "messages.role is integer, and no text",
        ),
    ],
)
@pytest.mark.parametrize("ask_for", ["read", "states_of", "count_of"])
def test_a_column_of_a_type_that_cannot_be_read_is_no_matter_of_passwords(
    application: Any, changes: tuple[str, ...], told: str, ask_for: str
) -> None:
    for statement in changes:
        application.execute(statement)
    log = log_of(application)
    with pytest.raises(ApplicationRefused, match=told) as refused:
        log.states_of([DAY]) if ask_for == "states_of" else getattr(log, ask_for)(DAY)
    assert "TWD_APPLICATION_DSN" not in str(refused.value)


@pytest.mark.parametrize("json_type", ["json", "jsonb"])
def test_texts_may_be_strings_in_json(
    application: Any, ask: Build, answer: Build, json_type: str
) -> None:
    for column in ("content", "sql_query", "error"):
        application.execute(
            f"alter table messages alter {column} type {json_type} using to_json({column})"
        )
    late, said = ask('"late?"', conversation_id=None), {"content": '"there"'}
    application.execute("alter table messages alter conversation_id drop not null")
    application.talk("an", NOON, ask('"a \\"b\\"?"'), answer('"select 1"', "[1]", **said))
    application.talk("an", NOON, late, answer('"select 2"', None, error='"boom"', **said))
    application.talk("an", MIDNIGHT - timedelta(seconds=1), ask('"old?"'), answer(**said))
    log = log_of(application)
    told = log.read(DAY).answers.select("question", "sql", "error").rows()
    assert sorted(told, key=str) == [
        ('a "b"?', "select 1", None),
        ("late?", None, None),
        (None, "select 2", "boom"),
    ]
    assert log.read(DAY + timedelta(days=1)).answers["question"].to_list() == ["old?"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (r'"nul \u0000?"', r'"nul \u0000?"'),
        (r'"half a \uD83D?"', r'"half a \uD83D?"'),
        (r'"its \ude00 \ud83d\ude00?"', r'"its \ude00 \ud83d\ude00?"'),
        (r'"a whole \uD83D\ude00?"', "a whole 😀?"),
    ],
)
def test_a_string_in_json_that_no_text_can_hold_is_read_as_it_is_written(
    application: Any, ask: Build, answer: Build, content: str, told: str
) -> None:
    application.execute("alter table messages alter content type json using to_json(content)")
    application.talk("an", NOON, ask(content), answer("select 1", content='"there"'))
    assert log_of(application).read(DAY).answers["question"].to_list() == [told]


def test_a_column_of_a_domain_is_read_as_the_type_below_it(
    application: Any, ask: Build, answer: Build
) -> None:
    for statement in (
        "create domain words as text",
        "create domain few_words as words",
        "create domain duration as numeric(10, 2)",
        "alter table messages alter error type few_words",
        "alter table messages alter latency_ms type duration",
    ):
        application.execute(statement)
    application.talk("an", NOON, ask("a?"), answer("select 1", error="boom", latency_ms="12.5"))
    [row] = log_of(application).read(DAY).answers.to_dicts()
    assert (row["error"], row["latency_ms"]) == ("boom", 12.5)


def test_latency_may_be_numeric(application: Any, answer: Build) -> None:
    application.execute("alter table messages alter latency_ms type numeric(10, 2)")
    application.talk("an", NOON, answer("select 1", "[1]", latency_ms="12.5"))
    assert log_of(application).read(DAY).answers["latency_ms"].to_list() == [12.5]


@pytest.mark.parametrize("kind", ["double precision", "numeric"])
def test_a_latency_that_is_no_time_of_an_answer_is_not_told(
    application: Any, ask: Build, answer: Build, kind: str
) -> None:
    application.execute(f"alter table messages alter latency_ms type {kind}")
    times = ("NaN", "Infinity", -3, 0, 12, 86_400_000, 86_400_001, "1.7e308")
    answers = (answer("select 1", "[1]", latency_ms=time) for time in times)
    application.talk("an", NOON, *answers, ask("and?", latency_ms=0))
    told = log_of(application).read(DAY).answers["latency_ms"]
    assert told.drop_nulls().sort().to_list() == [0, 12, 86_400_000]


def test_a_latency_that_no_float_holds_does_not_fail_its_day(
    application: Any, answer: Build
) -> None:
    application.execute("alter table messages alter latency_ms type numeric")
    times = ("1e400", "-1e400", 12.5, None)
    answers = (answer("select 1", "[1]", latency_ms=time) for time in times)
    application.talk("an", NOON, *answers)
    told = log_of(application).read(DAY).answers["latency_ms"]
    assert told.drop_nulls().to_list() == [12.5]


def test_a_role_that_may_not_read_is_told_so_for_good(application: Any) -> None:
    application.execute("drop role if exists no_reader")
    application.execute("create role no_reader login password 'hush'")
    dsn = sa.make_url(application.dsn).set(username="no_reader", password="hush")
    database = ApplicationDatabase(dsn.render_as_string(hide_password=False))
    with pytest.raises(ApplicationRefused, match="may read the application's tables") as caught:
        list(batches(database, "select * from messages"))
    assert "hush" not in str(caught.value)
    application.execute("drop role no_reader")


def test_a_column_that_is_kept_from_the_role_is_as_good_as_missing(
    application: Any, ask: Build, answer: Build
) -> None:
    shop = application.connect("shop")
    asked = ask("a?", connection_id=shop)
    application.talk("an", NOON, asked, answer("select 1", "[1]", latency_ms=5, error="boom"))
    required = "id, conversation_id, role, content, sql_query, query_result, created_at"
    for statement in (
        "create role few_columns login password 'hush'",
        f"grant select ({required}, latency_ms) on messages to few_columns",
        "grant select (id, user_id) on conversations to few_columns",
    ):
        application.execute(statement)
    dsn = sa.make_url(application.dsn).set(username="few_columns", password="hush")
    log = MessageLog(ApplicationDatabase(dsn.render_as_string(hide_password=False)), "UTC")
    try:
        read = log.read(DAY)
        assert read.state == log.states_of([DAY])[DAY]
        assert log.count_of(DAY) == 1
    finally:
        application.execute("drop owned by few_columns")
        application.execute("drop role few_columns")
    kept = read.answers.select("user_id", "question", "latency_ms", "error", "connection_id")
    assert kept.rows() == [("an", "a?", 5.0, None, "")]


def test_an_address_may_hold_blanks_in_its_password_and_its_options(application: Any) -> None:
    application.execute("create role worker login password 'two words + more'")
    address = sa.make_url(application.dsn).set(username="worker", password="two words + more")
    asked = address.update_query_dict({"options": "-c search_path=app,public -c work_mem=4MB"})
    database = ApplicationDatabase(asked.render_as_string(hide_password=False))
    question = "select current_setting('search_path') as path, current_setting('work_mem') as mem"
    told = {"path": "app,public", "mem": "4MB"}
    assert [row for batch in batches(database, question) for row in batch.to_dicts()] == [told]
    assert dict(database.fetch(question)[0]) == told
    application.execute("drop role worker")


def test_a_view_of_messages_may_be_read(application: Any, ask: Build, answer: Build) -> None:
    application.talk("an", NOON, ask("a?"), answer("select 1", "[1]"))
    application.execute("alter table messages rename to messages_of_all")
    application.execute("create view messages as select * from messages_of_all")
    log = log_of(application)
    empty = DAY + timedelta(days=1)
    states = log.states_of([DAY, empty])
    read = log.read(DAY)
    assert (read.answers.height, read.state) == (1, states[DAY])
    assert log.read(empty).state == states[empty] == "0:0:0"


@pytest.mark.parametrize(
    "change",
    [
        "content = 'b?' where role = 'user'",
        "created_at = created_at + interval '1 hour' where role = 'user'",
        "query_result = null",
        "latency_ms = 99 where role = 'assistant'",
        "connection_id = (select id from database_connections)",
        "query_result = null, error = query_result::text where role = 'assistant'",
        "error = ''",
    ],
)
def test_the_state_of_a_day_tells_every_change_of_a_view_of_messages(
    application: Any, ask: Build, answer: Build, change: str
) -> None:
    application.connect("shop")
    application.talk("an", NOON, ask("a?"), answer("select 1", "[[1]]", latency_ms=20))
    application.execute("alter table messages rename to messages_of_all")
    application.execute("create view messages as select * from messages_of_all")
    log = log_of(application)
    state = log.states_of([DAY])[DAY]
    application.execute(f"update messages_of_all set {change}")
    assert log.states_of([DAY])[DAY] == log.read(DAY).state != state


def test_a_refresh_of_a_materialized_view_changes_no_day(
    application: Any, ask: Build, answer: Build
) -> None:
    application.talk("an", NOON, ask("a?"), answer("select 1", "[1]"))
    application.execute("alter table messages rename to kept_messages")
    application.execute("create materialized view messages as select * from kept_messages")
    log = log_of(application)
    state = log.read(DAY).state
    application.execute("refresh materialized view messages")
    assert log.states_of([DAY])[DAY] == state
    application.execute("update kept_messages set content = 'b?' where role = 'user'")
    application.execute("refresh materialized view messages")
    assert log.states_of([DAY])[DAY] != state


def test_the_state_of_a_day_is_told_by_values_where_a_partition_is_on_another_server(
    application: Any, ask: Build, answer: Build
) -> None:
    application.talk("an", NOON, ask("a?"), answer("select 1", "[1]"))
    for statement in (
        "alter table messages rename to kept_messages",
        "create table messages (like kept_messages) partition by range (created_at)",
        "create table messages_now partition of messages for values from ('2026-01-01') to"
        " ('2027-01-01')",
        "insert into messages select * from kept_messages",
    ):
        application.execute(statement)
    state = log_of(application).read(DAY).state
    application.execute("update messages set content = content")
    assert log_of(application).read(DAY).state != state
    for statement in (
        # No reading of this day asks it.
        "create foreign data wrapper elsewhere",
        "create server archive foreign data wrapper elsewhere",
        "create foreign table messages_before partition of messages for values from ('2025-01-01')"
        " to ('2026-01-01') server archive",
    ):
        application.execute(statement)
    state = log_of(application).read(DAY).state
    application.execute("update messages_now set content = content")
    assert log_of(application).read(DAY).state == state
    application.execute("update messages_now set content = 'b?' where role = 'user'")
    assert log_of(application).read(DAY).state != state


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


@pytest.mark.parametrize(
    ("timezone", "newest"), [("UTC", date(2026, 3, 9)), ("Asia/Ho_Chi_Minh", date(2026, 3, 10))]
)
def test_a_day_is_over_half_an_hour_after_its_midnight(timezone: str, newest: date) -> None:
    days = last_days(datetime(2026, 3, 11, 0, 29, tzinfo=UTC), timezone, 2)
    assert days == [newest - timedelta(days=1), newest]


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
    row = log_of(application).read(DAY).answers.row(0, named=True)
    assert (row["latency_ms"], row["error"], row["connection_id"]) == (None, None, "")


def test_sql_of_a_megabyte_is_cut(application: Any, answer: Build) -> None:
    application.talk("an", NOON, answer("x" * 1_000_000))
    assert len(log_of(application).read(DAY).answers["sql"][0]) == LONGEST_SQL + 1


@pytest.mark.parametrize("kind", ["text", "json", "jsonb"])
@pytest.mark.parametrize(
    "statement", ["select 'x' ", 'select "permission denied"\n', "select 'ế' "]
)
def test_an_error_in_json_has_its_class_though_it_is_cut(
    application: Any, answer: Build, kind: str, statement: str
) -> None:
    application.execute(f"alter table messages alter error type {kind} using to_json(error)")
    said = {"sql": statement * 3_000, "message": 'column "x" does not exist', "stack": "y" * 900}
    for error in (said, {"errors": [said]}, dict(reversed(said.items()))):
        application.talk("an", NOON, answer("select x", error=json.dumps(error)))
    application.talk("an", NOON, answer("select x", error=json.dumps("z" * 10_000)))
    read = log_of(application).read(DAY).answers["error"].drop_nulls().to_list()
    classes = Counter(class_of_error(error) for error in read)
    assert classes == {"unknown_column": 3, None: 1}
    assert max(map(len, read)) <= 4_001


def test_the_columns_are_read_in_a_transaction_that_cannot_write(application: Any) -> None:
    database = ApplicationDatabase(application.dsn)
    with pytest.raises(ApplicationUnavailable, match=database.place):
        list(batches(database, "delete from messages returning id"))


def test_reading_columns_takes_no_longer_than_it_may(application: Any) -> None:
    with pytest.raises(ApplicationUnavailable, match="within 1 s"):
        list(batches(ApplicationDatabase(application.dsn, 1), "select pg_sleep(20)"))


def test_a_migration_of_the_application_is_not_ended_for_a_deadlock(application: Any) -> None:
    with ThreadPoolExecutor(1) as aside, closing(psycopg2.connect(application.dsn)) as migration:
        steps = migration.cursor()
        # The reading joins both tables, and has locked the other one by now.
        steps.execute("alter table conversations add title text")
        reading = aside.submit(log_of(application).read, DAY)
        wait_for_a_waiting_session(application.dsn)
        steps.execute("alter table messages add rating int")
        with pytest.raises(ApplicationUnavailable, match=r"has a table locked that is read"):
            reading.result()
        migration.commit()
    assert log_of(application).read(DAY).answers.is_empty()


def test_a_table_that_is_locked_for_a_moment_is_waited_for(application: Any) -> None:
    database = ApplicationDatabase(application.dsn)
    with ThreadPoolExecutor(1) as aside, closing(psycopg2.connect(application.dsn)) as migration:
        migration.cursor().execute("lock table messages in access exclusive mode")
        reading = aside.submit(database.fetch, "select count(*) from messages")
        wait_for_a_waiting_session(application.dsn)
        migration.rollback()
        assert reading.result()[0][0] == 0


def test_a_connection_that_is_cut_while_columns_are_read_is_told(
    application: Any, services: Any
) -> None:
    reading = batches(
        ApplicationDatabase(application.dsn),
        "select i, repeat('x', 1000) from generate_series(1, 1000000) i",
    )
    next(reading)
    engine = sa.create_engine(services.postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
            (sa.make_url(application.dsn).database,),
        )
    engine.dispose()
    with pytest.raises(ApplicationUnavailable, match="ConnectionLost"):
        list(reading)


def test_a_row_that_cannot_be_sent_is_no_lost_connection(application: Any, ask: Build) -> None:
    application.talk("an", NOON, ask("1"), ask("not a number"))
    application.execute("alter table messages rename to kept_messages")
    application.execute(
        "create view messages as select id, conversation_id, role, content, sql_query,"
        " query_result, created_at, content::integer as latency_ms from kept_messages"
    )
    with pytest.raises(ApplicationUnavailable, match="ended a reading with an error") as caught:
        log_of(application).read(DAY)
    assert "not a number" not in str(caught.value)


def test_an_address_where_nothing_listens_is_named_without_its_password() -> None:
    database = ApplicationDatabase("postgresql://twd:hush@127.0.0.1:1/app")
    with pytest.raises(ApplicationUnavailable, match=r"127\.0\.0\.1:1/app") as caught:
        list(batches(database, "select 1"))
    assert "hush" not in str(caught.value)


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
        log_of(application).read(DAY)
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
