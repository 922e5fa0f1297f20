"""Registering a source database through the application's API, as a user of it would."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import httpx

from twd_local.stack.errors import StackError
from twd_shared import settings

_DIALECTS = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}


def register(api_url: str, name: str, dsn: str) -> tuple[int | str, bool]:
    """Register database `name`; returns its id and whether it is new.

    Raises: StackError with the application's own words when it refuses, and when it is away or
    answers something else. The connection string is never part of a message.
    """
    try:
        parts = urlsplit(dsn)
    except ValueError:
        parts = urlsplit("")
    scheme = parts.scheme.split("+")[0].lower()
    if not scheme:
        raise StackError(
            f"The DSN of {name} is not of the form postgresql://user:password@host:5432/database."
        )
    secrets = [dsn, *filter(None, (parts.password, unquote(parts.password or "")))]
    try:
        answer = httpx.post(
            f"{api_url.rstrip('/')}/text-to-data/connections",
            json={
                "database_name": name,
                "connection_string": dsn,
                "db_type": _DIALECTS.get(scheme, scheme),
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
    """Register the database NAME at DSN of `given`; returns what to tell the user."""
    name, dsn = given.get("NAME", ""), given.get("DSN", "")
    if not name or not dsn:
        raise StackError("usage: make connect NAME=shop DSN=postgresql://reader:…@host:5432/shop")
    identifier, is_new = register(stack[settings.API_URL.name], name, dsn)
    state = "is registered" if is_new else "was registered already"
    seconds = stack.get(settings.NEW_CONNECTION_SECONDS.name)
    seconds = seconds or settings.NEW_CONNECTION_SECONDS.default
    return (
        f"{name} {state} as connection {identifier}. It is read within {seconds} s; watch it at "
        f"{stack[settings.UI_URL.name]}/runs"
    )


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
