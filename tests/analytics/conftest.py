"""An application with conversations, written as its users would have written them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import psycopg2
import pytest


class Application:
    """The application's database: add messages, or change its tables."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self.dsn)) as connection, connection:
            cursor = connection.cursor()
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def connect(self, name: str, db_type: str = "postgresql") -> str:
        """A new source database in the catalog; gives its id."""
        added = self.execute(
            "insert into database_connections (name, connection_string, db_type)"
            " values (%s, 'unused', %s) returning id",
            name,
            db_type,
        )
        return str(added[0][0])

    def talk(self, user: str, start: datetime, *messages: dict[str, Any]) -> None:
        """A conversation whose messages follow each other by a second."""
        rows = self.execute(
            "insert into conversations (user_id, created_at) values (%s, %s) returning id",
            user,
            start,
        )
        for number, message in enumerate(messages):
            row = {
                "conversation_id": rows[0][0],
                "created_at": start + timedelta(seconds=number),
                "content": "…",
                **message,
            }
            self.execute(
                f"insert into messages ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
                *row.values(),
            )


@pytest.fixture
def application(application_dsn: str) -> Application:
    """The application of this test, without conversations."""
    return Application(application_dsn)


@pytest.fixture
def ask() -> Callable[..., dict[str, Any]]:
    """Builds a user's message."""
    return lambda text, **more: {"role": "user", "content": text, **more}


@pytest.fixture
def answer() -> Callable[..., dict[str, Any]]:
    """Builds an assistant's message."""
    return lambda sql=None, result=None, **more: {
        "role": "assistant",
        "sql_query": sql,
        "query_result": result,
        **more,
    }
