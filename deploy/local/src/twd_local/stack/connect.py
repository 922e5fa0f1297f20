"""Registering a source database through the application's API, as a user of it would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import httpx

from twd_local.stack.errors import StackError
from twd_shared import settings
from twd_shared.clients.catalog import dialect_of

_FIELDS = (
    ("extraction", "OPTIONS", '{"exclude": ["audit.*"]}'),
    ("training", "TRAINING", '{"explain": true}'),
)


def register(
    api_url: str,
    name: str,
    dsn: str,
    options: Mapping[str, Mapping[str, object]] | None = None,
    db_type: str = "",
) -> tuple[int | str, bool]:
    """Register database `name`; returns its id and whether it is new.

    `db_type` '' = what the connection string says, or postgresql if it is not in the open;
    `options` are by field: what of it is read (`extraction`), what training may do (`training`).

    Raises: StackError with the application's own words when it refuses, and when it is away or
    answers something else. The connection string is never part of a message.
    """
    try:
        parts = urlsplit(dsn)
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme:
        raise StackError(
            f"The DSN of {name} is not of the form postgresql://user:password@host:5432/database."
        )
    # What the application keeps elsewhere has no scheme of a database.
    is_hidden = parts.scheme in ("secret", "fernet")
    secrets = [dsn, *filter(None, (parts.password, unquote(parts.password or "")))]
    try:
        answer = httpx.post(
            f"{api_url.rstrip('/')}/text-to-data/connections",
            json={
                "database_name": name,
                "connection_string": dsn,
                "db_type": db_type or ("postgresql" if is_hidden else dialect_of(parts.scheme)),
                # An application that does not know a field is not bothered with it.
                **{field: dict(chosen) for field, chosen in (options or {}).items()},
            },
            timeout=10,
        )
    except httpx.HTTPError as error:
        raise StackError(
            f"The application at {api_url} did not answer ({type(error).__name__}), so {name} is "
            "not registered. See: make status"
        ) from None
    if answer.status_code not in (200, 201):
        raise StackError(f"The application did not accept {name}: {_reason(answer, secrets)}")
    return _identifier(answer, api_url), answer.status_code == 201


def connect(stack: Mapping[str, str], given: Mapping[str, str]) -> str:
    """Register the database NAME at DSN of `given`; returns what to tell.

    It is read as OPTIONS say, and trained as TRAINING says.
    """
    name, dsn = given.get("NAME", ""), given.get("DSN", "")
    if not name or not dsn:
        raise StackError("usage: make connect NAME=shop DSN=postgresql://reader:…@host:5432/shop")
    options = {
        field: _options(variable, given[variable], example)
        for field, variable, example in _FIELDS
        if given.get(variable)
    }
    identifier, is_new = register(
        stack[settings.API_URL.name], name, dsn, options, given.get("TYPE", "")
    )
    state = "is registered" if is_new else "was registered already"
    seconds = settings.value_of(stack, settings.NEW_CONNECTION_SECONDS)
    kept = (
        ""
        if is_new or not options
        else " Its options stay as they are: change them in the application."
    )
    return (
        f"{name} {state} as connection {identifier}.{kept} It is read within {seconds} s; "
        f"watch it at {stack[settings.UI_URL.name]}/runs"
    )


def _options(variable: str, text: str, example: str) -> Mapping[str, object]:
    try:
        options = json.loads(text)
    except (ValueError, RecursionError):
        options = None
    if not isinstance(options, dict):
        raise StackError(f"{variable} is not a JSON object, such as {variable}='{example}'.")
    return options


def _identifier(answer: httpx.Response, api_url: str) -> int | str:
    try:
        identifier = answer.json()["id"]
    except (ValueError, KeyError, TypeError):
        identifier = None
    if isinstance(identifier, bool) or not isinstance(identifier, int | str):
        raise StackError(
            f"What answers at {api_url} is not the application: it accepted the connection without "
            f"giving its id. Check {settings.API_URL.name}."
        )
    return identifier


def _reason(answer: httpx.Response, secrets: list[str]) -> str:
    try:
        body = answer.json()
    except ValueError:
        return f"HTTP {answer.status_code}"
    for key in ("detail", "error", "message"):
        if isinstance(body, dict) and body.get(key):
            words = str(body[key])
            # Some frameworks repeat what they were sent when they refuse it.
            if not any(secret in words for secret in secrets):
                return words
    return f"HTTP {answer.status_code}"
