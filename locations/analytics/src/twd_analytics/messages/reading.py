"""Reading one day's answers from the application's tables `messages` and `conversations`.

Belongs here: the queries, what is asked of the tables, and the shape of the rows. Only text that
is measured leaves the database: of a result, just whether there is one and whether it has rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cached_property

import polars as pl

from twd_analytics.messages.days import bounds_of
from twd_shared.clients.application import ApplicationDatabase
from twd_shared.errors import ApplicationRefused

LONGEST_SQL = 20_000
"""Characters; longer SQL is read one character longer than this, and not parsed."""
_LONGEST_QUESTION = 2_000
_LONGEST_ERROR = 2_000

_REQUIRED = {
    "messages": (
        "id",
        "conversation_id",
        "role",
        "content",
        "sql_query",
        "query_result",
        "created_at",
    ),
    "conversations": ("id", "user_id"),
}
_OPTIONAL = {"latency_ms": "float8", "error": "text", "connection_id": "text"}

SCHEMA: dict[str, pl.DataType] = {
    "connection_id": pl.String(),
    "user_id": pl.String(),
    "question": pl.String(),
    "sql": pl.String(),
    "result": pl.String(),
    "error": pl.String(),
    "latency_ms": pl.Float64(),
}
"""Columns of a day's answers; `result` is rows, empty or none; `connection_id` '' = not known."""

# A conversation is a row of turns: a turn begins with a user's message and holds the answers to
# it. Windows run over narrow rows; the texts are joined to what is left.
_ANSWERS = """
with touched as (
    select distinct conversation_id from messages where created_at >= $1 and created_at < $2
), ordered as (
    select id, conversation_id, role, created_at,
           count(*) filter (where role = 'user')
               over (partition by conversation_id order by created_at, id) as turn
    from messages join touched using (conversation_id)
    where role in ('user', 'assistant')
), turns as (
    select id, conversation_id, role, created_at,
           case when turn > 0
                then first_value(id) over (partition by conversation_id, turn
                                           order by created_at, id) end as question_id,
           count(*) over (partition by conversation_id, turn) as size
    from ordered
)
select coalesce({connection_id}, '') as connection_id,
       conversations.user_id::text as user_id,
       left(question.content, {longest_question}) as question,
       left(message.sql_query, {longest_sql} + 1) as sql,
       case when turns.role = 'user' or message.query_result is null then 'none'
            when pg_column_size(message.query_result) > 2000 then 'rows'
            when message.query_result::text ~ '^\\s*(null)?\\s*$' then 'none'
            when message.query_result::text ~ '^\\s*(\\[\\s*\\]|\\{{\\s*\\}})\\s*$'
              or message.query_result::text ~ '"(rows|data|records)"\\s*:\\s*\\[\\s*\\]'
            then 'empty'
            else 'rows' end as result,
       left({error}, {longest_error}) as error,
       {latency_ms} as latency_ms
from turns
join messages message on message.id = turns.id
left join messages question on question.id = turns.question_id
left join conversations on conversations.id = turns.conversation_id
where turns.created_at >= $1 and turns.created_at < $2
  and (turns.role = 'assistant' or turns.size = 1)
"""

# Counted by another way than above, so that the two can be held against each other.
_COUNT = """
select count(*) from (
    select role, created_at,
           lead(role) over (partition by conversation_id order by created_at, id) as next_role
    from messages
    where role in ('user', 'assistant') and conversation_id in (
        select conversation_id from messages where created_at >= $1 and created_at < $2)
) as message
where created_at >= $1 and created_at < $2
  and (role = 'assistant' or next_role is distinct from 'assistant')
"""


class MessageLog:
    """The application's messages by day."""

    def __init__(self, database: ApplicationDatabase, timezone: str) -> None:
        """Read from `database`; a day begins at midnight in `timezone`."""
        self._database = database
        self._timezone = timezone

    def answers_of(self, day: date) -> pl.DataFrame:
        """One row an answer of that day, and one a question that got none; columns `SCHEMA`.

        An answer is an assistant's message; its question is the user's message before it.
        Raises: as `ApplicationDatabase.fetch`; ApplicationRefused if a table or column is missing.
        """
        query = _ANSWERS.format(
            longest_question=_LONGEST_QUESTION,
            longest_sql=LONGEST_SQL,
            longest_error=_LONGEST_ERROR,
            **self._optional_columns(),
        )
        rows = self._database.fetch(query, *self._bounds(day))
        return pl.DataFrame(
            {name: [row[name] for row in rows] for name in SCHEMA}, schema=SCHEMA
        ).with_columns(*(_blank_to_null(name) for name in ("sql", "error")))

    def count_of(self, day: date) -> int:
        """How many rows `answers_of` must give, counted by the database another way."""
        self._columns  # noqa: B018 - says clearly what is missing
        return self._database.fetch(_COUNT, *self._bounds(day))[0][0]

    def count_after(self, moment: datetime) -> int:
        """How many messages bear a time after `moment`."""
        query = "select count(*) from messages where created_at > $1"
        return self._database.fetch(query, self._comparable(moment))[0][0]

    @cached_property
    def _columns(self) -> Mapping[str, str]:
        for table, names in _REQUIRED.items():
            columns = self._database.columns(table)
            missing = [name for name in names if name not in columns]
            if missing:
                what = f"no column {', '.join(missing)} in table" if columns else "no table"
                raise ApplicationRefused(
                    f"The application database {self._database.place} has {what} {table!r}. "
                    "Check that TWD_APPLICATION_DSN names the application's database and that "
                    "the application's own migrations have run."
                )
        return self._database.columns("messages")

    def _optional_columns(self) -> dict[str, str]:
        columns = {
            name: f"message.{name}::{cast}" if name in self._columns else f"null::{cast}"
            for name, cast in _OPTIONAL.items()
        }
        if "connection_id" in self._columns:
            # Some applications note the connection at the question only.
            columns["connection_id"] += ", question.connection_id::text"
        return columns

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        start, end = bounds_of(day, self._timezone)
        return self._comparable(start), self._comparable(end)

    def _comparable(self, moment: datetime) -> datetime:
        """The moment as `created_at` is kept: without a zone it is taken for UTC."""
        moment = moment.astimezone(UTC)
        has_zone = "with time zone" in self._columns["created_at"]
        return moment if has_zone else moment.replace(tzinfo=None)


def _blank_to_null(name: str) -> pl.Expr:
    stripped = pl.col(name).str.strip_chars()
    return pl.when(stripped == "").then(None).otherwise(stripped).alias(name)
