"""Reading one day's answers from the application's tables `messages` and `conversations`.

Belongs here: the queries, what is asked of the tables, and the shape of the rows. Only text that
is measured leaves the database: of a result, just whether there is one, whether it has rows, and an
error in the place of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property

import polars as pl

from twd_analytics.messages.columnar import batches
from twd_analytics.messages.days import LAST_ANSWERS, bounds_of
from twd_analytics.messages.turns import answers_among, with_earlier_questions
from twd_shared.clients.application import ApplicationDatabase, text_of
from twd_shared.clients.messages import (
    ANY_NUMBER,
    ERROR_TYPES,
    LONGEST_RESULT,
    MAY_FAIL,
    NO_ERROR,
    NO_RESULT,
    WHOLE_NUMBERS,
    conversations_once,
    decoded,
    error_in_result,
    has_role,
    labels_of_roles,
    order_of_writing,
    plain_id,
    same_id,
)
from twd_shared.sql.parsing import LONGEST_SQL
from twd_shared.store.open_questions import LONGEST_QUESTION

_LONGEST_ERROR = 2_000
_LONGEST_MS = 86_400_000

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
# Types that need no work of the server to be sent, and little of ours.
_NUMBERS = (*WHOLE_NUMBERS, "real", "double precision")
# What an optional column is read as, and the types that it may have for that; '' = any.
_OPTIONAL = {
    "latency_ms": ("float8", ANY_NUMBER),
    "error": ("text", ERROR_TYPES),
    "connection_id": ("text", ("",)),
}

# Texts repeat: each is kept once, and a row holds a number. Millions of rows fit so.
_TEXTS = ("connection_id", "user_id", "question", "sql", "result", "error")

ALL = "*"
"""The connection id under which a day's numbers over all connections stand."""

SCHEMA: dict[str, pl.DataType] = {
    **dict.fromkeys(_TEXTS, pl.Categorical()),
    "latency_ms": pl.Float64(),
    "created_at": pl.Datetime("us", "UTC"),
}
"""Columns of a day's answers; `result` is rows, empty or none; `connection_id` '' = not known.

No answer has the `connection_id` of `ALL`.
"""

GAVE_RESULT = pl.col("sql").is_not_null() & (pl.col("result") != "none") & pl.col("error").is_null()
"""Whether an answer has SQL, a result and no error; `running.with_executed` says if it ran."""

_MOST_ROLES = 10
_ROLES = """
select distinct coalesce(role::text, 'null') from messages
where created_at >= $1 and created_at < $2 order by 1 limit $3
"""

# The server sends columns as they are, which is most of its work: only what is far too long is cut.
# Reading takes a time for each column of a row, also where it is null: `text` is a question's, or
# an answer's SQL.
_MESSAGES = """
select {id} as id,
       {conversation_id} as conversation_id,
       {user_id} as user_id,
       {is_answer} as is_answer,
       case when {is_answer} then {sql} else {question} end as text,
       case when {is_answer}
            then case when pg_column_size(message.query_result) > {longest_result} then '['
                      else message.query_result::text end end as result,
       {error} as error,
       {latency_ms} as latency_ms,
       {connection_id} as connection_id,
       {created_at} as created_at,
       {mark} as mark
from messages message
left join {conversations} on {same_conversation}
where {is_told} and message.created_at >= {start} and message.created_at < {end}
"""
_NOTHING = r"^\s*(?:null)?\s*$"
# May have no rows: then it is looked into.
_EMPTY_LIST = r"""\[\s*\]|^[\s"]*\{\s*\}[\s"]*$"""
_ROWS = ("rows", "data", "records", "results")

_EARLIER = """
select distinct on (conversation_id)
       conversation_id::text as conversation_id,
       {question} as question,
       {connection_id} as connection_id
from messages message
where conversation_id = any($1::text[]::{id_type}[]) and {is_question}
  and created_at < $2
order by conversation_id, created_at desc, id desc
"""

_STATES = """
select bounds.day, count(message.id) as messages,
       coalesce(sum({mark}) filter (where message.id is not null), 0)::text as marks,
       count({connection_id}) as named
from unnest($1::date[], $2::{moment}[], $3::{moment}[]) bounds(day, first, last)
left join messages message on {is_told}
  and message.created_at >= bounds.first and message.created_at < bounds.last
group by bounds.day
"""

# Counted by another way than `answers_among` does, so that the two can be held against each other.
_COUNT = """
select count(*) from (
    select {is_answer} as is_answer, created_at, conversation_id,
           lead({is_answer}) over (partition by conversation_id order by {order}) as is_answered
    from messages message
    where {is_told} and created_at >= $1 and created_at < $3
) as message
where created_at < $2
  and (is_answer or conversation_id is null or is_answered is not true)
"""

# A row's xmin is the transaction that wrote it last. Each is greater than all before it, so that
# with the number of rows no later state of a day has the same sum.
_MARK_OF_ROW = "message.xmin::text::int8"
# A view has no xmin, nor may a role see it that may see some columns alone. As text a row keeps its
# values apart, also nulls and empty ones. A time's own text would depend on the session.
_MARK_OF_VALUES = """
hashtext(row(message.id, message.conversation_id, message.role,
             extract(epoch from message.created_at), hashtext(message.content::text),
             hashtext(message.sql_query::text), hashtext(message.query_result::text),
             {error}, {latency_ms}, {connection_id})::text)::int8
"""
# A refresh writes all rows of a materialized view anew: by it every day would have changed. In a
# partition on another server it is 0, whatever is written there.
_HAS_XMIN = """
select relkind in ('r', 'p') and has_column_privilege(oid, 'xmin', 'select') and not exists (
    select from pg_partition_tree(pg_class.oid) part join pg_class parts on parts.oid = part.relid
    where parts.relkind = 'f')
from pg_class where oid = to_regclass('messages')
"""


@dataclass(frozen=True, slots=True)
class DayOfMessages:
    """A day's answers, columns `SCHEMA`, and the state of the messages that they were read from."""

    answers: pl.DataFrame
    state: str


class MessageLog:
    """The application's messages by day."""

    def __init__(self, database: ApplicationDatabase, timezone: str) -> None:
        """Read from `database`; a day begins at midnight in `timezone`."""
        self._database = database
        self.timezone = timezone

    def read(self, day: date) -> DayOfMessages:
        """One row an answer of that day, and one a question that got none.

        An answer is an assistant's message; its question is the user's message before it.
        Raises: as `ApplicationDatabase.fetch`; ApplicationRefused if a table or column is missing.
        """
        start, end = bounds_of(day, self.timezone)
        messages = self._messages(start, end + LAST_ANSWERS)
        state = _state(messages.height, messages["mark"].sum(), messages["connection_id"].count())
        answers = answers_among(messages.drop("mark"), start, end)
        unasked = answers.filter("is_open")["conversation_id"].drop_nulls().unique()
        if not unasked.is_empty():
            answers = with_earlier_questions(answers, self._earlier_questions(unasked, start))
        owner = pl.col("connection_id")
        # An application's ids may be any text. Counted as it is, that of all would count twice.
        answers = answers.with_columns(pl.when(owner != ALL).then(owner).fill_null(""))
        return DayOfMessages(answers.select(list(SCHEMA)), state)

    def states_of(self, days: Sequence[date]) -> dict[date, str]:
        """The state of each day's messages, which changes when one is written, changed, deleted.

        It is `messages:marks:named`, with the numbers of messages and of those that name their
        connection.
        """
        moment = "timestamptz" if self._has_zone else "timestamp"
        bounds = [bounds_of(day, self.timezone) for day in days]
        rows = self._database.fetch(
            _STATES.format(
                mark=self._mark,
                moment=moment,
                connection_id=self._optional("connection_id"),
                is_told=self._is_told,
            ),
            list(days),
            [self._comparable(start) for start, _ in bounds],
            [self._comparable(end + LAST_ANSWERS) for _, end in bounds],
        )
        return {row["day"]: _state(row["messages"], row["marks"], row["named"]) for row in rows}

    def count_of(self, day: date) -> int:
        """How many answers `read` must give, counted by the database another way."""
        start, end = bounds_of(day, self.timezone)
        bounds = (self._comparable(moment) for moment in (start, end, end + LAST_ANSWERS))
        order = order_of_writing(self._columns["id"])
        query = _COUNT.format(
            order=order, is_answer=self._has_role("assistant"), is_told=self._is_told
        )
        return self._database.fetch(query, *bounds)[0][0]

    def roles_of(self, day: date) -> list[str]:
        """Some of the roles that the day's messages have, those that are not known too."""
        bounds = (self._comparable(moment) for moment in bounds_of(day, self.timezone))
        return [row[0] for row in self._database.fetch(_ROLES, *bounds, _MOST_ROLES)]

    def times_after(self, moment: datetime) -> tuple[int, str | None]:
        """How many messages bear a time after `moment`, and the last of these as text."""
        # A year of five digits and `infinity` are times too.
        query = "select count(*), max(created_at)::text from messages where created_at > $1"
        count, last = self._database.fetch(query, self._comparable(moment))[0]
        return count, last

    def _messages(self, start: datetime, end: datetime) -> pl.DataFrame:
        query = _MESSAGES.format(
            id=self._key("id"),
            conversation_id=self._key("conversation_id"),
            user_id="conversations.user_id::text",
            conversations=self._conversations,
            same_conversation=self._same_conversation,
            question=_cut(self._text("content"), LONGEST_QUESTION),
            # One character more than is parsed tells that it is too long.
            sql=_cut(self._text("sql_query"), LONGEST_SQL + 1),
            # A longer one counts as having rows: the server would have to unpack each to tell.
            longest_result=LONGEST_RESULT,
            error=_cut(self._optional("error"), _LONGEST_ERROR, with_end_of_json=True),
            latency_ms=self._optional("latency_ms"),
            connection_id=self._optional("connection_id"),
            created_at="message.created_at"
            if self._has_zone
            else "message.created_at at time zone 'UTC'",
            mark=self._mark,
            is_answer=self._has_role("assistant"),
            is_told=self._is_told,
            start=self._literal(start),
            end=self._literal(end),
        )
        read = [_narrow(batch) for batch in batches(self._database, query)]
        messages = pl.concat(read) if read else _no_messages()
        return messages.with_columns(
            _nothing_to_null(messages["sql"], _NOTHING),
            _nothing_to_null(messages["error"], NO_ERROR),
        )

    def _earlier_questions(self, conversations: pl.Series, moment: datetime) -> pl.DataFrame:
        query = _EARLIER.format(
            question=_cut(self._text("content"), LONGEST_QUESTION),
            connection_id=self._optional("connection_id") + "::text",
            id_type=self._columns["conversation_id"],
            is_question=self._has_role("user"),
        )
        ids = conversations.cast(pl.String).to_list()
        rows = self._database.fetch(query, ids, self._comparable(moment))
        names = ("conversation_id", "question", "connection_id")
        found = pl.DataFrame(
            {name: [row[name] for row in rows] for name in names},
            schema=dict.fromkeys(names, pl.String),
        )
        return found.with_columns(
            pl.col("conversation_id").cast(conversations.dtype),
            pl.col("question", "connection_id").cast(pl.Categorical),
        )

    @cached_property
    def _tables(self) -> Mapping[str, Mapping[str, str]]:
        known = {
            table: self._database.columns_with(table, *names) for table, names in _REQUIRED.items()
        }
        kind = known["messages"]["created_at"]
        if not kind.startswith("timestamp"):
            raise self._database.odd_type(f"messages.created_at is {kind}, and no timestamp")
        kind = known["messages"]["role"]
        if kind.startswith(ANY_NUMBER):
            raise self._database.odd_type(f"messages.role is {kind}, and no text")
        return known

    @property
    def _columns(self) -> Mapping[str, str]:
        return self._tables["messages"]

    @property
    def _same_conversation(self) -> str:
        return same_id(
            "conversations.id",
            self._tables["conversations"]["id"],
            "message.conversation_id",
            self._columns["conversation_id"],
        )

    @cached_property
    def _labels(self) -> list[str] | None:
        return labels_of_roles(self._database)

    def _has_role(self, *roles: str) -> str:
        return has_role("message.role", *roles, labels=self._labels)

    @property
    def _is_told(self) -> str:
        # Who else wrote, such as the system, said nothing that is counted.
        return self._has_role("user", "assistant")

    @cached_property
    def _conversations(self) -> str:
        return conversations_once(self._database)

    @cached_property
    def _mark(self) -> str:
        if self._database.fetch(_HAS_XMIN)[0][0]:
            return _MARK_OF_ROW
        return _MARK_OF_VALUES.format(**{name: self._optional(name) for name in _OPTIONAL})

    @property
    def _has_zone(self) -> bool:
        return "with time zone" in self._columns["created_at"]

    def _key(self, column: str) -> str:
        is_number = self._columns[column] in _NUMBERS
        return f"message.{column}" if is_number else f"message.{column}::text"

    def _optional(self, column: str) -> str:
        kind, types = _OPTIONAL[column]
        found = self._columns.get(column)
        if found is None or not found.startswith(types):
            return f"null::{kind}"
        if found in (WHOLE_NUMBERS if kind == "text" else _NUMBERS):
            return f"message.{column}"
        if kind == "text":
            return plain_id(f"message.{column}", found)
        # Far from any time it may be a number that `float8` does not hold.
        return f"greatest(least(message.{column}, {_LONGEST_MS + 1}), -1)::{kind}"

    def _text(self, column: str) -> str:
        return text_of(f"message.{column}", self._columns[column])

    def _comparable(self, moment: datetime) -> datetime:
        """The moment as `created_at` is kept: without a zone it is taken for UTC."""
        moment = moment.astimezone(UTC)
        return moment if self._has_zone else moment.replace(tzinfo=None)

    def _literal(self, moment: datetime) -> str:
        # A result can be copied only of a statement without parameters.
        kind = "timestamptz" if self._has_zone else "timestamp"
        return f"{kind} '{self._comparable(moment).isoformat()}'"


def _cut(text: str, most: int, *, with_end_of_json: bool = False) -> str:
    """SQL of the text's first `most` characters, or a few more; bytes are counted for nothing.

    `open_questions.as_read` gives the same of a question.

    Of JSON as many of its end too where it is asked for, after a line break, which no text in JSON
    holds: `jsonb` sorts names by length, and a long statement in `sql` stands before all else.
    """
    cut = f"left({text}, {most})"
    if with_end_of_json:
        end = f"chr(10) || right({text}, {most})"
        cut += rf" || case when left({text}, 50) ~ '^\s*[[{{]' then {end} else '' end"
    return f"case when octet_length({text}) > {4 * most} then {cut} else {text} end"


def _narrow(batch: pl.DataFrame) -> pl.DataFrame:
    """The messages with what is told of their result in the place of it, and texts kept once."""
    result = pl.col("result")
    may_fail = batch.filter(result.str.contains(MAY_FAIL))["result"].unique()
    failed = {text: error for text in may_fail if (error := error_in_result(text))}
    is_none = result.is_null() | result.str.contains(NO_RESULT) | result.is_in(list(failed))
    may_be_empty = batch.filter(result.str.contains(_EMPTY_LIST))["result"].unique()
    empty = [text for text in may_be_empty if _is_empty(text)]
    told = pl.when(is_none).then(pl.lit("none")).when(result.is_in(empty))
    text = pl.col("text").cast(pl.Categorical)
    latency = pl.col("latency_ms").cast(pl.Float64)
    # One NaN, or one that is far too long, would be the average of the whole day.
    is_time = pl.col("is_answer") & latency.is_between(0, _LONGEST_MS)
    if failed:
        said = pl.when(~pl.col("error").str.contains(NO_ERROR)).then("error")
        in_result = result.replace_strict(failed, default=None, return_dtype=pl.String)
        batch = batch.with_columns(
            error=pl.coalesce(said, in_result.str.head(_LONGEST_ERROR), "error")
        )
    return (
        batch.select(
            pl.exclude("text"),
            question=pl.when(~pl.col("is_answer")).then(text),
            sql=pl.when("is_answer").then(text),
        )
        .with_columns(
            result=told.then(pl.lit("empty")).otherwise(pl.lit("rows")),
            latency_ms=pl.when(is_time).then(latency),
            connection_id=pl.col("connection_id").cast(pl.String),
        )
        .with_columns(pl.col(_TEXTS).cast(pl.Categorical))
    )


def _nothing_to_null(texts: pl.Series, nothing: str) -> pl.Expr:
    """Looked for among those that differ, which are few."""
    known = texts.unique().cast(pl.String)
    found = known.filter(known.str.contains(nothing)).cast(pl.Categorical)
    text = pl.col(texts.name)
    return pl.when(~text.is_in(found.implode())).then(text)


def _is_empty(result: str) -> bool:
    """Whether the JSON is a result without rows: an empty list, or an object with one."""
    _, value = decoded(result)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        # Results of several statements, of which there was one.
        value = value[0] if "columns" in value[0] else value
    if isinstance(value, dict):
        found = [value[name] for name in _ROWS if name in value]
        return not value or [] in found
    return value == []


def _no_messages() -> pl.DataFrame:
    keys = {"id": pl.Int64(), "conversation_id": pl.Int64(), "is_answer": pl.Boolean()}
    return pl.DataFrame(schema={**keys, **SCHEMA, "mark": pl.Int64()})


def _state(messages: int, marks: object, named: int) -> str:
    return f"{messages}:{marks}:{named}"
