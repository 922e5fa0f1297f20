"""Literals of SQL that are a secret: by what they hold or are compared with. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from twd_shared.schema_model.secret_signs import (
    holds_a_secret,
    is_hidden,
    may_name_a_secret,
    names_a_secret,
)

# The secret itself stands in another literal, which is added to this one or put in its place.
_SECRET_ELSEWHERE = re.compile(r"[=:][\"'\\\s]{0,8}(?:$|%)")

_MARKS_OF_NAMES = '"`['
# One that is not closed goes on to the end.
_COMMENT = r"--[^\n]*|/\*.*?(?:\*/|\Z)"
_ESCAPING = r"'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'"
_PLAIN = r"'[^']*(?:''[^']*)*'"
_QUOTED = r"\"[^\"]*(?:\"\"[^\"]*)*\""
_TEXTS: Mapping[str, str] = {
    "postgresql": f"{_COMMENT}|(?<![\\w$])[eE]{_ESCAPING}|{_PLAIN}|{_QUOTED}",
    "sqlite": "|".join((_COMMENT, _PLAIN, _QUOTED, "`[^`]*`", r"\[[^\]]*\]")),
    "mysql": "|".join((_COMMENT, _ESCAPING, _ESCAPING.replace("'", '"'), "`[^`]*`")),
}
_LITERALS = {name: re.compile(texts, re.DOTALL) for name, texts in _TEXTS.items()}
# What says nothing of what is compared: a cast, a collation, a literal's character set, the table
# that a column is of.
_SKIPPED = (
    r"[^\W\d][\w$]*+(?=\.)|\"[^\"]*\"(?=\.)|`[^`]*`(?=\.)|"
    r"::\s*\"?[\w.]+\"?(?:\s+(?:varying|precision|with(?:out)?\s+time\s+zone))?"
    r"|\bcollate\s+\"?\w+\"?(?:\.\"?\w+\"?)?|(?<!\w)_\w+(?=\s*')"
)
_PARTS = {
    name: re.compile(
        rf"(?P<skipped>{_SKIPPED})|(?P<text>{texts})|(?P<word>[^\W\d][\w$]*)"
        r"|(?P<sign>[=<>!~|+*/@#&^-]+|;)",
        re.DOTALL | re.IGNORECASE,
    )
    for name, texts in _TEXTS.items()
}
_COMPARISON = re.compile(r"[=<>!~]+\*?")
_COMPARING = frozenset(("in", "like", "ilike", "regexp", "rlike", "similar", "glob", "is"))
_BETWEEN = frozenset(("not", "any", "all", "some", "array", "to", "binary", "distinct", "from"))
_ENDING = frozenset(
    ("and", "or", "xor", "when", "then", "else", "case", "end", "select", "where", "on", "having")
)


def without_secret_literals(sql: str, dialect: str, column: str = "") -> str:
    """The SQL with '…' in the place of literals that hold a secret, or are compared with one.

    `column` is the name of what gets the value of the SQL: its literals are that value.
    """
    if "'" in sql:
        if names_a_secret(column):
            sql = _without(sql, _values_of(column, sql, dialect))
        elif may_name_a_secret(sql):
            sql = _without(sql, _compared(sql, dialect))
    return _without_holders(sql, _LITERALS[dialect])


def _values_of(column: str, sql: str, dialect: str) -> Iterator[re.Match[str]]:
    for found in _LITERALS[dialect].finditer(sql):
        if _is_literal(found[0]) and is_hidden(column, _content(found)):
            yield found


def _compared(sql: str, dialect: str) -> Iterator[re.Match[str]]:
    """Literals that the name of a secret is compared with, from either side, or given to."""
    name = compared = ""
    # The literal before, while nothing but a cast has followed, and while a comparison has.
    last: re.Match[str] | None = None
    waiting: re.Match[str] | None = None
    for found in _PARTS[dialect].finditer(sql):
        text = found[0]
        word = text.lower() if found["word"] else ""
        if found["skipped"] or word in _BETWEEN or text.startswith(("--", "/*")):
            continue
        if found["text"] and _is_literal(text):
            if is_hidden(compared, _content(found)):
                yield found
            last, waiting = found, None
        elif found["sign"] or word in _COMPARING:
            is_comparison = bool(word or _COMPARISON.fullmatch(text))
            compared = name if is_comparison else ""
            last, waiting = None, last if is_comparison else None
        elif word == "as":
            last, waiting = None, last
        elif word in _ENDING:
            name = compared = ""
            last = waiting = None
        else:
            name, compared = text.strip('"`[]'), ""
            if waiting and is_hidden(name, _content(waiting)):
                yield waiting
            last = waiting = None


def _is_literal(text: str) -> bool:
    return text[-1] == "'" and text[0] not in _MARKS_OF_NAMES and not text.startswith(("--", "/*"))


def _content(literal: re.Match[str]) -> str:
    return literal[0][literal[0].index("'") + 1 : -1]


def _without(sql: str, literals: Iterable[re.Match[str]]) -> str:
    places = {literal.start(): literal.end() for literal in literals}
    told, end = [], 0
    for start in sorted(places):
        told += [sql[end:start], "'…'"]
        end = places[start]
    return "".join((*told, sql[end:]))


def _without_holders(sql: str, texts: re.Pattern[str]) -> str:
    if not holds_a_secret(sql):
        return sql
    found: set[str] = {text for text in texts.findall(sql) if text[0] not in _MARKS_OF_NAMES}
    secrets = set(filter(holds_a_secret, found))
    if not secrets:
        return sql
    hides_all = any(map(_SECRET_ELSEWHERE.search, secrets))

    def told(found: re.Match[str]) -> str:
        text = found[0]
        if text not in secrets and not (hides_all and text[-1] == "'"):
            return text
        return "'…'" if text[-1] == "'" else ""

    return texts.sub(told, sql)
