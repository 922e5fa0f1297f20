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
        r"|(?P<sign>[=<>!~|+*/@#&^-]+|;)|(?P<bracket>[(),])",
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
# What one of these is given stands for the others.
_CHOOSING = frozenset(("coalesce", "ifnull", "nullif", "nvl"))
_LONGEST_FIELD = 100


def without_secret_literals(sql: str, dialect: str, column: str = "") -> str:
    """The SQL with '…' in the place of literals that hold a secret, or are compared with one.

    `column` is the name of what gets the value of the SQL: its literals are that value.
    """
    if "'" in sql:
        if names_a_secret(column):
            sql = _without(sql, _values_of(column, sql, dialect))
        if may_name_a_secret(sql):
            sql = _without(sql, _compared(sql, dialect))
    return _without_holders(sql, _LITERALS[dialect])


def _values_of(column: str, sql: str, dialect: str) -> Iterator[re.Match[str]]:
    for found in _LITERALS[dialect].finditer(sql):
        if _is_literal(found[0]) and is_hidden(column, _content(found)):
            yield found


def _compared(sql: str, dialect: str) -> Iterator[re.Match[str]]:
    """Literals that the name of a secret is compared with, from either side, or given to."""
    name = compared = before = ""
    operands = _Operands()
    # The literal before, while nothing but a cast or bracket has followed: of what is compared it
    # may be the name, as in `settings ->> 'api_key'`.
    last: re.Match[str] | None = None
    # What is left of a comparison, or of AS, until a name follows.
    left: list[re.Match[str]] = []
    # A literal on the right makes something true or false, and is no value of what is around.
    is_right = False
    for found in _PARTS[dialect].finditer(sql):
        text = found[0]
        word = text.lower() if found["word"] else ""
        if word == "from":
            operands.begin()
        if found["skipped"] or word in _BETWEEN or text.startswith(("--", "/*")):
            continue
        if found["bracket"]:
            if text == ",":
                operands.go_on()
                compared = (_field(last) or name) if operands.is_choosing else compared
            elif text == "(":
                operands.open(is_choosing=before in _CHOOSING)
            else:
                operands.close()
        elif found["text"] and _is_literal(text):
            if is_hidden(compared, _content(found)):
                yield found
            if not is_right:
                operands.add(found)
            last, left = found, []
        elif found["sign"] or word in _COMPARING:
            is_right = is_comparison = bool(word or _COMPARISON.fullmatch(text))
            name = (_field(last) if is_comparison else "") or name
            compared = name if is_comparison else ""
            last, left = None, operands.last if is_comparison else []
            if text == ";":
                operands = _Operands()
        elif word == "as":
            last, left, is_right = None, operands.last, False
        elif word in _ENDING:
            operands.end(word)
            name = compared = ""
            last, left, is_right = None, [], False
        else:
            name, compared = text.strip('"`[]'), ""
            if left and names_a_secret(name):
                yield from (literal for literal in left if is_hidden(name, _content(literal)))
                # Each is looked at once.
                left.clear()
            last, left, is_right = None, [], False
        before = word


class _Operands:
    """Literals of what is being read, by the brackets around it."""

    def __init__(self) -> None:
        """Nothing is read."""
        self._literals: list[list[re.Match[str]]] = [[]]
        self._choosing = [False]

    @property
    def last(self) -> list[re.Match[str]]:
        """Those of the innermost operand, with all in its brackets."""
        return self._literals[-1]

    @property
    def is_choosing(self) -> bool:
        """Whether the innermost brackets are of a function that gives one of its arguments."""
        return self._choosing[-1]

    def add(self, literal: re.Match[str]) -> None:
        """Read a literal."""
        self._literals[-1].append(literal)

    def begin(self) -> None:
        """Begin an operand that has nothing to do with the one before."""
        self._literals[-1] = []

    def go_on(self) -> None:
        """Begin another in the same brackets: outside of them all count that they hold."""
        if len(self._literals) > 1:
            self._tell_outer()
        self.begin()

    def open(self, *, is_choosing: bool = False) -> None:
        """Begin one in brackets."""
        self._literals.append([])
        self._choosing.append(is_choosing)

    def close(self) -> None:
        """Go on behind the brackets with what they hold."""
        if len(self._literals) > 1:
            self._tell_outer()
            self._literals.pop()
            self._choosing.pop()

    def end(self, word: str) -> None:
        """Begin another operand behind this word; CASE and END are brackets around its results."""
        if word == "case":
            self.open()
        elif word == "end":
            self.close()
        elif word in ("when", "else"):
            self.go_on()
        else:
            self.begin()

    def _tell_outer(self) -> None:
        # The shorter is added to the longer: brackets in brackets are not read again and again.
        fewer, more = sorted(self._literals[-2:], key=len)
        self._literals[-2] = more
        more += fewer


def _field(literal: re.Match[str] | None) -> str:
    """The literal's text if that is the name of a secret, as of a field of JSON; else ''."""
    text = _content(literal).strip('{}[]"') if literal else ""
    return text if len(text) <= _LONGEST_FIELD and names_a_secret(text) else ""


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
