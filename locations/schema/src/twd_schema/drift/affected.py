"""What is known of a source that a change of it could hit: documents, training items, queries.

Belongs here: reading, within bounds and for one connection. Not here: which change hits what
(`impact.py`). The application's database and the index may be away: then that part is not known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from twd_shared.clients.application import ApplicationDatabase, now_like, text_of
from twd_shared.clients.messages import conversations_once, has_role, plain_id, same_id
from twd_shared.errors import TwdError
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.wording import shortened
from twd_shared.sql.parsing import unfenced
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import index_states, training_items

if TYPE_CHECKING:
    from twd_shared.clients.schema_index import SchemaIndex

RECENT_DAYS = 30
"""How far back queries of users count as recent."""

STATEMENT_SECONDS = 30
"""How long the application's database may take: no sync waits longer to know whom it hits."""

_MOST_QUERIES = 5_000
_MOST_ITEMS = 5_000
_LONGEST_SQL = 20_000
_LONGEST_TITLE = 80


@dataclass(frozen=True, slots=True)
class TrainingItem:
    """What users taught: a question with its SQL, or documentation, of which `sql` is ''.

    `title` names it for people, `text` is documentation, `tables` are labels: schema.table.
    """

    title: str
    sql: str = ""
    text: str = ""
    tables: tuple[str, ...] = ()


@dataclass(slots=True)
class UserQuery:
    """One text of SQL that was run for users: how often, and for whom."""

    sql: str
    count: int = 0
    users: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a change could hit. `documents` are points of the index by table.

    Where the application does not say of which connection a query is (`queries_are_of_all`), they
    are those of all. There may be older ones that were not looked at (`queries_are_cut`,
    `items_are_cut`).
    `unknown` says what could not be read, and why.
    """

    documents: Counter[TableName] = field(default_factory=Counter[TableName])
    items: tuple[TrainingItem, ...] = ()
    queries: tuple[UserQuery, ...] = ()
    queries_are_of_all: bool = False
    queries_are_cut: bool = False
    items_are_cut: bool = False
    unknown: str = ""


class SurroundingsReader:
    """Reads what a change of a connection could hit."""

    def __init__(
        self,
        database: MetadataDatabase,
        application: Callable[[], ApplicationDatabase],
        index: Callable[[], SchemaIndex],
    ) -> None:
        """`application` and `index` are called when something is to be read."""
        self._database = database
        self._application = application
        self._index = index

    def read(self, connection_id: str) -> Surroundings:
        """All of one connection; raises MetadataFailure alone."""
        problems: list[str] = []
        documents: Counter[TableName] = Counter()
        queries = _Queries()
        try:
            documents = self._documents(connection_id)
        except TwdError as error:
            problems.append(f"documents: not known ({error})")
        try:
            queries = _recent_queries(self._application(), connection_id)
        except TwdError as error:
            problems.append(f"user queries: not known ({error})")
        if queries.are_cut:
            problems.append(f"user queries: only the newest {_MOST_QUERIES:,} were looked at")
        items = self._items(connection_id)
        items_are_cut = len(items) > _MOST_ITEMS
        if items_are_cut:
            problems.append(f"training items: only the newest {_MOST_ITEMS:,} were looked at")
        return Surroundings(
            documents,
            items[:_MOST_ITEMS],
            queries.queries,
            queries.are_of_all,
            queries.are_cut,
            items_are_cut,
            "; ".join(problems),
        )

    def _documents(self, connection_id: str) -> Counter[TableName]:
        query = sa.select(index_states.c.collection).where(
            index_states.c.connection_id == connection_id
        )
        with self._database.begin() as transaction:
            collection = transaction.execute(query).scalar_one_or_none()
        if collection is None:
            return Counter()
        points = self._index().points(connection_id, collection)
        held = points.held(["schema_name", "table_name"]).values()
        # A point that nothing of ours wrote has neither, and counts for no table.
        return Counter((str(item.get("schema_name")), str(item.get("table_name"))) for item in held)

    def _items(self, connection_id: str) -> tuple[TrainingItem, ...]:
        items = training_items
        query = (
            sa.select(items.c.kind, items.c.question, items.c.content, items.c.tables)
            .where(
                items.c.connection_id == connection_id,
                items.c.accepted,
                items.c.kind.in_(("question_sql", "documentation")),
            )
            .order_by(items.c.first_seen_at.desc(), items.c.item_id)
            # With one more it is seen whether there are more.
            .limit(_MOST_ITEMS + 1)
        )
        with self._database.begin() as transaction:
            return tuple(_item(row) for row in transaction.execute(query))


def _item(row: sa.Row[tuple[str, str | None, str, list[str]]]) -> TrainingItem:
    kind, question, content, tables = row
    if kind == "documentation":
        return TrainingItem(
            shortened(f"documentation of {', '.join(tables)}", _LONGEST_TITLE),
            text=content,
            tables=tuple(tables),
        )
    title = shortened(" ".join((question or "").split()), _LONGEST_TITLE)
    return TrainingItem(title, sql=unfenced(content), tables=tuple(tables))


class _Queries(NamedTuple):
    queries: tuple[UserQuery, ...] = ()
    are_of_all: bool = False
    are_cut: bool = False


def _recent_queries(application: ApplicationDatabase, connection_id: str) -> _Queries:
    """The newest queries of the last days."""
    columns = application.columns_with("messages", "conversation_id", "created_at", "sql_query")
    conversations = application.columns_with("conversations", "id", "user_id")
    same_conversation = same_id(
        "conversations.id",
        conversations["id"],
        "message.conversation_id",
        columns["conversation_id"],
    )
    kind = columns.get("connection_id")
    of_this = _of_connection(kind) if kind else ""
    sql = text_of("message.sql_query", columns["sql_query"])
    query = f"""
    select {sql} as sql, conversations.user_id::text as user_id
    from messages message
    left join {conversations_once(application)} on {same_conversation}
    where message.created_at >= {now_like(columns["created_at"])} - make_interval(days => $1)
      and length({sql}) between 1 and {_LONGEST_SQL}
      {of_this}
    order by message.created_at desc
    limit $2
    """  # noqa: S608 - put together from constants alone
    # With one more it is seen whether there are more.
    arguments = (RECENT_DAYS, _MOST_QUERIES + 1, *((connection_id,) if kind else ()))
    rows = application.fetch(query, *arguments)
    found: dict[str, UserQuery] = {}
    for row in rows[:_MOST_QUERIES]:
        sql = unfenced(row["sql"])
        known = found.setdefault(sql, UserQuery(sql))
        known.count += 1
        if row["user_id"] is not None:
            known.users.add(row["user_id"])
    return _Queries(tuple(found.values()), not kind, len(rows) > _MOST_QUERIES)


def _of_connection(kind: str) -> str:
    """SQL of whether a message is of connection $3, where the column of it is of that type."""
    # Some applications note the connection at the question only, which is the message before.
    return f"""
      and coalesce({plain_id("message.connection_id", kind)}, (
            select {plain_id("question.connection_id", kind)} from messages question
            where question.conversation_id = message.conversation_id
              and question.created_at <= message.created_at and {has_role("question.role", "user")}
            order by question.created_at desc limit 1)) = $3"""  # noqa: S608 - of constants alone
