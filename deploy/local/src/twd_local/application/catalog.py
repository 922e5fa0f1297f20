"""The application's catalog of source databases: checking and storing connections.

Belongs here: the rules and the SQL of `database_connections`. Not here: HTTP (`server.py`).
A connection string is a secret: it is stored and returned, never put into a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
from psycopg2 import errors, sql
from psycopg2.extras import Json, RealDictCursor

from twd_local.application.tables import Connection
from twd_shared.clients.connection_secrets import ENCRYPTED, KEPT
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.clients.option_fields import options_in
from twd_shared.clients.training_options import TrainingOptions

_FIELDS = sql.SQL(
    "id, name AS database_name, connection_string, db_type, description, is_active, extraction, "
    "training"
)
_OPTIONS: Mapping[str, type[msgspec.Struct]] = {
    "extraction": ExtractionOptions,
    "training": TrainingOptions,
}
_LONGEST = {"database_name": 200, "connection_string": 2000, "db_type": 50, "description": 2000}
_COLUMNS = {"database_name": "name"}
_INT_MAX = 2**31 - 1


class InvalidConnection(ValueError):
    """What was sent cannot be a connection; the message says which field and why."""


class DuplicateConnection(Exception):
    """Another connection has this name and connection string already."""


def listed(connection: Connection, since_id: int = 0) -> list[dict[str, Any]]:
    """Connections with an id above `since_id`, in order of id."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        # Ids are 32 bit; a larger cursor is past them all and must not be an error.
        cursor.execute(
            sql.SQL("SELECT {} FROM database_connections WHERE id > %s ORDER BY id").format(
                _FIELDS
            ),
            (max(min(since_id, _INT_MAX), -_INT_MAX),),
        )
        return [dict(row) for row in cursor.fetchall()]


def register(connection: Connection, sent: object) -> tuple[dict[str, Any], bool]:
    """Store a connection, or find the one with the same name and connection string.

    Returns: (the connection, whether it is new). Raises: InvalidConnection.
    """
    fields = _checked(sent, required=("database_name", "connection_string", "db_type"))
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        # Serialised, so that two equal requests at once make one row and burn no id.
        cursor.execute("LOCK TABLE database_connections IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(
            sql.SQL(
                "SELECT {} FROM database_connections "
                "WHERE name = %(database_name)s AND connection_string = %(connection_string)s"
            ).format(_FIELDS),
            fields,
        )
        existing = cursor.fetchone()
        if existing is not None:
            return dict(existing), False
        cursor.execute(
            sql.SQL(
                "INSERT INTO database_connections (name, connection_string, db_type, "
                "description, is_active, extraction, training) VALUES (%(database_name)s, "
                "%(connection_string)s, %(db_type)s, %(description)s, %(is_active)s, "
                "%(extraction)s, %(training)s) RETURNING {}"
            ).format(_FIELDS),
            {"description": None, "is_active": True} | dict.fromkeys(_OPTIONS) | fields,
        )
        return dict(cast("dict[str, Any]", cursor.fetchone())), True


def change(connection: Connection, connection_id: int, sent: object) -> dict[str, Any] | None:
    """Change the sent fields of one connection.

    Returns: the connection, or None when there is none with this id.
    Raises: InvalidConnection, DuplicateConnection.
    """
    fields = _checked(sent, required=())
    if not fields:
        raise InvalidConnection("nothing to change: send is_active, database_name, ...")
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(_COLUMNS.get(name, name)), sql.Placeholder(name))
        for name in fields
    )
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        try:
            cursor.execute(
                sql.SQL("UPDATE database_connections SET {} WHERE id = %(id)s RETURNING {}").format(
                    assignments, _FIELDS
                ),
                fields | {"id": min(connection_id, _INT_MAX)},
            )
        except errors.UniqueViolation:
            raise DuplicateConnection from None
        row = cursor.fetchone()
        return None if row is None else dict(row)


def remove(connection: Connection, connection_id: int) -> bool:
    """Delete one connection with its training data; False when there is none with this id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM database_connections WHERE id = %s", (min(connection_id, _INT_MAX),)
        )
        return cursor.rowcount == 1


def _checked(sent: object, required: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(sent, dict):
        raise InvalidConnection("the body must be a JSON object")
    body = cast("dict[str, object]", sent)
    unknown = sorted(set(body) - {*_LONGEST, *_OPTIONS, "is_active"})
    if unknown:
        raise InvalidConnection(f"unknown field: {', '.join(unknown)}")
    fields: dict[str, Any] = {}
    for name in required:
        if name not in body:
            raise InvalidConnection(f"{name} is missing")
    for name, value in body.items():
        if name == "is_active":
            if not isinstance(value, bool):
                raise InvalidConnection("is_active must be true or false")
            fields[name] = value
        elif name in _OPTIONS:
            fields[name] = _checked_options(name, value)
        elif name == "description" and value is None:
            fields[name] = None
        else:
            fields[name] = _checked_text(name, value)
    if "connection_string" in fields:
        _check_connection_string(fields["connection_string"])
    return fields


def _checked_options(name: str, value: object) -> Json | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidConnection(f"{name} must be an object")
    try:
        options_in(cast("dict[str, object]", value), _OPTIONS[name])
    except ValueError as error:
        raise InvalidConnection(f"{name} cannot be followed: {error}") from None
    return Json(value)


def _checked_text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidConnection(f"{name} must be a text that is not empty")
    text = value.strip()
    if len(text) > _LONGEST[name]:
        raise InvalidConnection(f"{name} is longer than {_LONGEST[name]} characters")
    if not text.isprintable() and name != "description":
        raise InvalidConnection(f"{name} holds a control character")
    if "\x00" in text:
        raise InvalidConnection(f"{name} holds a NUL character")
    return text


def _check_connection_string(value: str) -> None:
    """Check the shape `scheme://…` with a sane port; whether it works is found out by using it.

    What stands in place of a connection string that is kept elsewhere has no such shape.
    """
    if value.startswith((KEPT, ENCRYPTED)):
        return
    problem = "connection_string must look like postgresql://user:password@host:5432/database"
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        # The parser's own message would repeat parts of the secret.
        raise InvalidConnection(problem) from None
    if not parts.scheme or "://" not in value:
        raise InvalidConnection(problem)
