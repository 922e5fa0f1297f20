"""Good answers among the application's messages: executed, and not corrected right after.

Only connections whose training options allow it are looked at. What is taken for good here is
checked like all that users teach.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from twd_shared.clients.application import ApplicationDatabase, now_like, text_of
from twd_shared.clients.messages import (
    ERROR_TYPES,
    LONGEST_RESULT,
    MAY_FAIL,
    NO_ERROR,
    NO_RESULT,
    counts_up,
    error_in_result,
    has_role,
    order_of_writing,
    plain_id,
)
from twd_shared.sql.names import SchemaNames
from twd_shared.sql.parsing import unfenced
from twd_shared.sql.references import references_in
from twd_shared.store.open_questions import normalised_question
from twd_training.examples.models import Submission

RECENT_DAYS = 90
"""How far back answers are looked at."""
MOST_ANSWERS = 500
"""Of a connection, the newest."""

_MOST_READ = 5_000
_LONGEST = 20_000
# Whoever asks about the same tables again so soon was not content, or asks for more.
_CORRECTED_WITHIN = timedelta(minutes=30)
_NEEDED = frozenset(
    {
        "connection_id",
        "content",
        "conversation_id",
        "created_at",
        "id",
        "query_result",
        "role",
        "sql_query",
    }
)

# Some applications note the connection at the question only.
# Without a conversation nothing says which question an answer is of; nor does anything where more
# than one was asked at a moment and ids tell no order.
_ANSWERS = """
with ordered as (
    select id, conversation_id, role, created_at,
           count(*) filter (where {is_question})
               over (partition by conversation_id order by {order}) as turn,
           {asked_at_once} as asked_at_once
    from messages
    where {is_told} and created_at >= {now} - make_interval(days => $2)
      and conversation_id in (
          select message.conversation_id
          from messages message
          where {connection} = $1 and message.created_at >= {now} - make_interval(days => $2)
      )
), turns as (
    select id, role,
           case when turn > 0
                then first_value(case when asked_at_once = 1 then id end)
                         over (partition by conversation_id, turn order by {order})
           end as question_id
    from ordered
)
select message.id::text as id, message.conversation_id::text as conversation,
       {question} as question, {sql} as sql, message.created_at as created_at,
       coalesce(message.query_result::text !~ '{no_result}', false)
           and {without_error} as is_executed,
       case when pg_column_size(message.query_result) <= {longest_result}
             and message.query_result::text ~ '{may_fail}'
            then message.query_result::text end as may_be_error
from turns
join messages message on message.id = turns.id
join messages question on question.id = turns.question_id
where {is_answer}
  and length({sql}) between 1 and {longest}
  and length({question}) between 1 and {longest}
  and coalesce({connection}, {connection_of_question}) = $1
order by message.created_at desc, message.id desc
limit $3
"""
_IS_QUESTION = has_role("role", "user")
_ASKED_AT_ONCE = (
    f"count(*) filter (where {_IS_QUESTION}) over (partition by conversation_id, created_at)"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """SQL that was given to a question, and whether it was executed without an error."""

    message_id: str
    conversation: str
    question: str
    sql: str
    at: datetime
    is_executed: bool


def read_answers(application: ApplicationDatabase, connection_id: str) -> list[Answer]:
    """The newest answers of a connection, newest first.

    None where the application does not say of which connection a message is. Raises
    ApplicationUnavailable and ApplicationRefused.
    """
    columns = application.columns("messages")
    if not columns.keys() >= _NEEDED:
        return []
    query = _ANSWERS.format(
        now=now_like(columns["created_at"]),
        order=order_of_writing(columns["id"]),
        is_question=_IS_QUESTION,
        is_answer=has_role("turns.role", "assistant"),
        is_told=has_role("role", "user", "assistant"),
        asked_at_once="1" if counts_up(columns["id"]) else _ASKED_AT_ONCE,
        question=text_of("question.content", columns["content"]),
        sql=text_of("message.sql_query", columns["sql_query"]),
        no_result=NO_RESULT,
        longest_result=LONGEST_RESULT,
        may_fail=MAY_FAIL,
        without_error=_without_error(columns.get("error", "")),
        connection=plain_id("message.connection_id", columns["connection_id"]),
        connection_of_question=plain_id("question.connection_id", columns["connection_id"]),
        longest=_LONGEST,
    )
    return [
        Answer(
            row["id"],
            row["conversation"],
            row["question"],
            unfenced(row["sql"]),
            row["created_at"],
            row["is_executed"] and error_in_result(row["may_be_error"] or "") is None,
        )
        for row in application.fetch(query, connection_id, RECENT_DAYS, _MOST_READ)
    ]


def _without_error(kind: str) -> str:
    """SQL of whether a message bears no error, where the column is of that type; '' = none is."""
    if not kind.startswith(ERROR_TYPES):
        return "true"
    return f"coalesce({text_of('message.error', kind)} ~ '{NO_ERROR}', true)"


def good_answers(answers: Sequence[Answer], names: SchemaNames) -> list[Submission]:
    """The answers that may be taught, newest first, of those to one question the newest.

    `answers` are newest first. An answer was corrected if another one in the same conversation
    reads a table of it soon after.
    """
    asked: set[str] = set()
    good: list[Submission] = []
    for answer in _uncorrected(answers, names):
        question = " ".join(answer.question.split())
        if (normalised := normalised_question(question)) in asked:
            continue
        asked.add(normalised)
        good.append(
            Submission(
                f"message {answer.message_id}", "question_sql", question, answer.sql, "messages"
            )
        )
        if len(good) == MOST_ANSWERS:
            break
    return good


def _uncorrected(answers: Iterable[Answer], names: SchemaNames) -> Iterator[Answer]:
    later: dict[str, list[tuple[Answer, frozenset[object]]]] = {}
    for answer in answers:
        if not answer.is_executed:
            continue
        found = references_in(answer.sql, names)
        # A table that is gone still tells what the answer was about.
        tables = frozenset[object]((*found.tables, *found.unknown))
        followers = later.setdefault(answer.conversation, [])
        if tables and not any(
            after.at - answer.at <= _CORRECTED_WITHIN
            and after.sql != answer.sql
            and not tables.isdisjoint(read)
            for after, read in followers
        ):
            yield answer
        followers.append((answer, tables))
