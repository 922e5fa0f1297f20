"""Secrets in comments: prose, of which only what looks like one is left out. Pure.

Each place is looked at once: comments have megabytes where somebody wishes.
"""

from __future__ import annotations

import re

from twd_shared.schema_model.secret_signs import (
    ASSIGNED,
    ISSUED,
    MARKS_OF_ISSUED,
    PRIVATE_KEY,
    is_ordinary,
    tells_of_a_column,
)

_LEFT_OUT = "…"
_ADDRESS = re.compile(r"(?<=://)\S+")
_SECRET = re.compile(
    rf"(?P<whole>{PRIVATE_KEY}.*?(?:-----END[^\n]{{0,60}}-----|\Z)|{ISSUED})"
    rf"|(?P<name>{ASSIGNED})(?P<gap>\s{{0,8}}(?:(?:basic|bearer)\s{{1,8}})?)"
    # Behind a comma or semicolon the comment goes on, where a space or the next name follows.
    r"(?P<value>\"[^\"\n]+\"|'[^'\n]+'|\S(?:[^\s,;]|[,;](?!\s|\Z|\w{1,30}\s?[=:]))*)"
    r"|(?P<option>(?<!\S)(?:--(?:pass\w{0,20}|token|api-?key)|-u|--user)[\s=]{1,8})(?P<given>\S+)"
    r"|(?P<scheme>\bbearer\s{1,8})(?P<bearer>\S+)",
    re.IGNORECASE | re.DOTALL,
)
# One of these, in small letters, is in each of them: a comment in which none is holds no secret.
_MARKS = ("=", ":", "--", "-u", "bearer", *MARKS_OF_ISSUED)
_PASSWORD = re.compile(r"passw|passphrase|pwd", re.IGNORECASE)
_GIVEN = re.compile("^[\"']|[=:@]")


def comment_without_secrets(comment: str) -> str:
    """The comment with … in the place of what looks like a secret."""
    small = comment.lower()
    if not any(mark in small for mark in _MARKS):
        return comment
    if "://" in comment:
        comment = _ADDRESS.sub(_address, comment)
    return _SECRET.sub(_told, comment)


def _address(found: re.Match[str]) -> str:
    """The address without its user and password; the password may have any sign in it."""
    address = found[0]
    host = re.split(r"[/?#]", address, maxsplit=1)[0]
    end = (host if "@" in host else address if ":" in host else "").rfind("@")
    return address if end < 0 else _LEFT_OUT + address[end:]


def _told(found: re.Match[str]) -> str:
    if found["whole"]:
        return _LEFT_OUT
    if name := found["name"]:
        value = found["value"]
        # In "password: hashed" and "pw = pulse width" the word tells what it is.
        is_prose = found["gap"] and not _GIVEN.search(value) and is_ordinary(value)
        # "token: 1" tells of a flag, "password: 1234" a password.
        is_number = value.isdecimal() and _PASSWORD.search(name)
        if not is_number and (is_prose or tells_of_a_column(value)):
            return found[0]
        return f"{name}{found['gap']}{_LEFT_OUT}"
    if option := found["option"]:
        is_user = option.lower().startswith(("-u", "--user"))
        return found[0] if is_user and ":" not in found["given"] else option + _LEFT_OUT
    return found[0] if is_ordinary(found["bearer"]) else found["scheme"] + _LEFT_OUT
