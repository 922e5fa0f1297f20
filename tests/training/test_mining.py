"""Where a connection allows it, answers that were good are taught, and none that was corrected."""

from __future__ import annotations

import unicodedata

import pytest

from twd_training.examples.collecting import Collected

from .conftest import CUSTOMER, WAREHOUSE, Location

pytestmark = pytest.mark.integration

NAMES = "select full_name from customer"
TOTALS = "select sum(total_amount) from invoice"
ROWS = '[{"n": 1}]'


class Talk:
    """What users of the application ask, a minute apart, and what they are given."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._minutes = 0
        self._allow('{"messages": true}')

    def ask(
        self,
        question: str,
        sql: str | None,
        *,
        conversation: int = 1,
        result: str | None = ROWS,
        error: str | None = None,
        connection: int | None = 7,
        after_minutes: int = 1,
    ) -> None:
        self._minutes += after_minutes
        at = f"now() - interval '2 days' + interval '{self._minutes} minutes'"
        self._location.execute(
            "insert into conversations (id, user_id) values (%s, 'ann') on conflict do nothing",
            conversation,
        )
        for role, content, answer, given, failed in (
            ("user", question, None, None, None),
            ("assistant", "Here.", sql, result, error),
        ):
            self._location.execute(
                "insert into messages (conversation_id, role, content, sql_query, query_result,"
                f" error, connection_id, created_at) values (%s, %s, %s, %s, %s, %s, %s, {at})",
                conversation,
                role,
                content,
                answer,
                given,
                failed,
                connection if role == "user" else None,
            )

    def _allow(self, options: str) -> None:
        self._location.execute(
            "update database_connections set training = %s::jsonb where id = 7", options
        )

    def forbid(self) -> None:
        self._allow("{}")

    def collect(self) -> Collected:
        return self._location.collect()

    def taught(self) -> dict[str | None, str]:
        return {item.question: item.content for item in self.collect().items if item.accepted}


@pytest.fixture
def talk(location: Location) -> Talk:
    return Talk(location)


def test_an_answer_that_was_executed_is_taught(talk: Talk) -> None:
    talk.ask("Who  buys?", f"```sql\n{NAMES}\n```")
    collected = talk.collect()
    [item] = collected.items
    assert (item.question, item.content, item.source) == ("Who buys?", NAMES, "messages")
    assert item.tables == ("public.customer",)


@pytest.mark.parametrize(
    ("sql", "result", "error"),
    [
        (NAMES, None, None),
        (NAMES, "null", None),
        (NAMES, ROWS, "timeout"),
        ("", ROWS, None),
        ("select nope from customer", ROWS, None),
        ("delete from customer", ROWS, None),
        ("select 1", ROWS, None),
    ],
)
def test_an_answer_that_was_not_or_cannot_be_right_is_not(
    talk: Talk, sql: str, result: str | None, error: str | None
) -> None:
    talk.ask("Who buys?", sql, result=result, error=error)
    assert talk.collect().items == ()


def test_an_empty_text_for_a_result_is_none(talk: Talk, location: Location) -> None:
    location.execute("alter table messages alter query_result type text")
    talk.ask("Who buys?", NAMES, result="")
    assert talk.collect().items == ()


@pytest.mark.parametrize(
    "result", ['{"error": "relation does not exist"}', '{"success": false, "rows": []}']
)
def test_an_error_that_is_kept_as_the_result_is_one(talk: Talk, result: str) -> None:
    talk.ask("Who buys?", NAMES, result=result)
    talk.ask("How much?", TOTALS, result='{"error": null, "rows": [[1]]}')
    assert talk.taught() == {"How much?": TOTALS}


@pytest.mark.parametrize("result", ['"null"', '""', '" "'])
def test_a_result_in_double_json_that_says_nothing_is_none(talk: Talk, result: str) -> None:
    talk.ask("Who buys?", NAMES, result=result)
    assert talk.collect().items == ()


@pytest.mark.parametrize("nothing", ["null", "{}", " [ ]", "{ }"])
@pytest.mark.parametrize("kind", ["text", "jsonb"])
def test_an_error_that_says_nothing_is_none(
    talk: Talk, location: Location, kind: str, nothing: str
) -> None:
    talk.ask("Who buys?", NAMES)
    talk.ask("How much?", TOTALS, error="timeout")
    using = "to_jsonb(error)" if kind == "jsonb" else "error"
    location.execute(f"alter table messages alter error type {kind} using {using}")
    location.execute("update messages set error = %s where error is null", nothing)
    assert talk.taught() == {"Who buys?": NAMES}


def test_an_error_of_a_type_that_tells_nothing_is_none(talk: Talk, location: Location) -> None:
    talk.ask("Who buys?", NAMES)
    location.execute("alter table messages alter error type boolean using false")
    assert talk.taught() == {"Who buys?": NAMES}


@pytest.mark.parametrize(
    "kind", ["double precision", "real", "numeric(10, 2)", "numeric", "text", "jsonb"]
)
def test_a_connection_is_known_of_whatever_type_its_ids_are(
    talk: Talk, location: Location, kind: str
) -> None:
    talk.ask("Who buys?", NAMES)
    talk.ask("How much?", TOTALS, connection=8)
    location.execute("alter table messages drop constraint if exists messages_connection_id_fkey")
    using = "to_jsonb(connection_id::text)" if kind == "jsonb" else f"connection_id::{kind}"
    location.execute(f"alter table messages alter connection_id type {kind} using {using}")
    assert talk.taught() == {"Who buys?": NAMES}


def test_an_answer_that_was_corrected_soon_after_is_not(talk: Talk) -> None:
    talk.ask("Who buys?", "select customer_id from customer")
    talk.ask("No, by name", NAMES, after_minutes=29)
    talk.ask("How much?", TOTALS)
    assert talk.taught() == {"No, by name": NAMES, "How much?": TOTALS}


def test_another_question_on_the_same_table_later_or_elsewhere_corrects_nothing(talk: Talk) -> None:
    talk.ask("Which ones?", "select customer_id from customer")
    talk.ask("Who buys?", NAMES, conversation=2)
    talk.ask("How many?", "select count(*) from customer", after_minutes=31)
    assert set(talk.taught()) == {"Which ones?", "Who buys?", "How many?"}


def test_an_attempt_that_failed_corrects_nothing(talk: Talk) -> None:
    talk.ask("Who buys?", NAMES)
    talk.ask("And where?", "select city from customer", result=None, error="no such column")
    assert set(talk.taught()) == {"Who buys?"}


def test_of_answers_to_one_question_the_newest_is_taught(talk: Talk) -> None:
    talk.ask("Who buys?", "select customer_id from customer")
    talk.ask("who  BUYS?", NAMES, conversation=2)
    assert talk.taught() == {"who BUYS?": NAMES}
    # However it ends, and however its letters are written.
    talk.ask("Ai mua hàng?", "select customer_id from customer", conversation=3)
    talk.ask(unicodedata.normalize("NFD", "ai mua hàng"), NAMES, conversation=4)
    assert list(talk.taught().values()) == [NAMES, NAMES]


def test_what_a_user_taught_is_not_taught_again(talk: Talk, location: Location) -> None:
    location.teach(NAMES, "Who buys?")
    talk.ask("Who buys?", NAMES)
    [item] = talk.collect().items
    assert (item.source, item.accepted) == ("user", True)


def test_an_answer_gives_way_to_what_a_user_taught_for_its_question(
    talk: Talk, location: Location
) -> None:
    talk.ask("Who buys?", "select customer_id from customer")
    talk.collect()
    location.teach(NAMES, "who  buys")
    [item] = talk.collect().items
    assert (item.content, item.accepted) == (NAMES, True)
    location.execute("update training_data set content = 'select nope from customer'")
    assert talk.taught() == {"Who buys?": "select customer_id from customer"}


def test_messages_of_other_connections_and_of_none_are_left_alone(talk: Talk) -> None:
    talk.ask("Who buys?", NAMES, connection=8)
    talk.ask("How much?", TOTALS, connection=None)
    assert talk.collect().items == ()


def test_messages_without_a_conversation_are_not_taken_for_one(
    talk: Talk, location: Location
) -> None:
    location.execute("alter table messages alter conversation_id drop not null")
    talk.ask("Who buys?", NAMES)
    talk.ask("How much?", None, conversation=2)
    # Somebody else asks before the first one is answered.
    location.execute("update messages set created_at = now() where sql_query is not null")
    location.execute("update messages set conversation_id = null")
    assert talk.collect().items == ()


def test_a_connection_that_does_not_allow_it_is_not_listened_to(talk: Talk) -> None:
    talk.ask("Who buys?", NAMES)
    assert len(talk.collect().items) == 1
    talk.forbid()
    assert talk.collect().items == ()


def test_an_answer_that_the_schema_broke_is_kept_in_quarantine(
    talk: Talk, location: Location
) -> None:
    talk.ask("How much?", TOTALS)
    talk.collect()
    location.read_schema(CUSTOMER, WAREHOUSE)
    [item] = talk.collect().items
    assert item.is_quarantined


def test_an_application_that_does_not_note_connections_gives_no_answers(
    talk: Talk, location: Location
) -> None:
    talk.ask("Who buys?", NAMES)
    location.execute("alter table messages drop column connection_id")
    assert talk.collect().items == ()


@pytest.mark.parametrize(
    ("kept", "taught"), [("error", {"Who buys?": NAMES}), ("connection_id", {})]
)
def test_a_column_that_is_kept_from_the_role_is_as_good_as_missing(
    talk: Talk, location: Location, kept: str, taught: dict[str, str]
) -> None:
    talk.ask("Who buys?", NAMES)
    with location.reading_without("messages", kept):
        assert talk.taught() == taught


def test_times_without_a_zone_and_missing_errors_are_read(talk: Talk, location: Location) -> None:
    talk.ask("Who buys?", NAMES)
    location.execute("alter table messages drop column error")
    location.execute("alter table messages alter created_at type timestamp")
    assert set(talk.taught()) == {"Who buys?"}


def test_texts_that_are_kept_as_json_are_read(talk: Talk, location: Location) -> None:
    talk.ask('Who "buys"?', NAMES)
    talk.ask("How much?", TOTALS, error="timeout")
    for column in ("content", "sql_query", "error"):
        location.execute(f"alter table messages alter {column} type jsonb using to_jsonb({column})")
    location.execute("update messages set error = 'null' where error is null")
    assert talk.taught() == {'Who "buys"?': NAMES}


def _with_texts_for_ids(location: Location) -> None:
    """Ids that tell no order."""
    location.execute("alter table messages alter id drop identity")
    location.execute("alter table messages alter id type text using md5(id::text)")


def _with_an_enum_of_roles(location: Location, *roles: str) -> None:
    location.execute("alter table messages drop constraint messages_role_check")
    location.execute(f"create type role as enum {roles}")
    case = "upper" if roles[0].isupper() else "lower"
    location.execute(f"alter table messages alter role type role using {case}(role)::role")


@pytest.mark.parametrize(
    "roles", [None, ("user", "assistant"), ("assistant", "user"), ("USER", "ASSISTANT")]
)
@pytest.mark.parametrize("ids", ["that count up", "texts"])
def test_a_question_and_its_answer_may_be_of_one_moment(
    talk: Talk, location: Location, ids: str, roles: tuple[str, str] | None
) -> None:
    talk.ask("Who?", NAMES)
    talk.ask("How much?", TOTALS)
    talk.ask("How much again?", TOTALS, after_minutes=31)
    location.execute(
        "update messages answer set created_at = question.created_at from messages question"
        " where answer.role = 'assistant' and question.id = answer.id - 1"
    )
    if ids == "texts":
        _with_texts_for_ids(location)
    if roles:
        _with_an_enum_of_roles(location, *roles)
    assert talk.taught() == {"Who?": NAMES, "How much?": TOTALS, "How much again?": TOTALS}


def test_turns_of_one_moment_are_told_apart_by_ids_that_count_up(
    talk: Talk, location: Location
) -> None:
    talk.ask("Who?", NAMES)
    talk.ask("How much?", TOTALS)
    location.execute("update messages set created_at = now() - interval '1 day'")
    assert talk.taught() == {"Who?": NAMES, "How much?": TOTALS}


def test_turns_of_one_moment_that_nothing_tells_apart_are_not_taught(
    talk: Talk, location: Location
) -> None:
    talk.ask("Who?", NAMES)
    talk.ask("How much?", TOTALS)
    location.execute("update messages set created_at = now() - interval '1 day'")
    talk.ask("Where?", "select city from stock.warehouse")
    _with_texts_for_ids(location)
    assert talk.taught() == {"Where?": "select city from stock.warehouse"}


def test_an_answer_like_a_pair_in_quarantine_is_not_taught(talk: Talk, location: Location) -> None:
    location.teach(TOTALS, "How much?")
    talk.collect()
    talk.ask("how much?", TOTALS)
    location.read_schema(CUSTOMER, WAREHOUSE)
    assert [item.is_quarantined for item in talk.collect().items] == [True]
