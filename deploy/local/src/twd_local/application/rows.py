"""Rows of sample data on their way into the application's tables, in COPY's text format."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from twd_local.application.tables import Connection

CONVERSATION_COLUMNS = ("id", "user_id", "created_at")
MESSAGE_COLUMNS = (
    "conversation_id",
    "created_at",
    "connection_id",
    "role",
    "content",
    "sql_query",
    "query_result",
    "latency_ms",
    "error",
)


def copy(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Append `rows` to `table`."""
    buffer = io.StringIO("".join(f"{copied(row)}\n" for row in rows))
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", buffer)


def copied(values: Sequence[object]) -> str:
    """Values between tabs: `\\N` for NULL, backslash escapes for what would split one."""
    return "\t".join(map(_copied, values))


def _copied(value: object) -> str:
    if value is None:
        return r"\N"
    return (
        str(value)
        .replace("\\", "\\\\")
        .replace("\t", "\\t")
        .replace("\n", "\\n")
        .replace("\r", "\\r")
    )
