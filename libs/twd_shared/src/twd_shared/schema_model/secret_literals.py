"""Literals of SQL that are a secret: by what they hold or are compared with. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from twd_shared.schema_model.secret_signs import (
    holds_a_secret,
    is_hidden,
    is_no_value,
    is_ordinary,
    may_name_a_secret,
    names_a_secret,
)

# The secret itself stands in another literal, which is joined to this one or put in its place.
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
        r"(?P<call>(?=\s{0,8}\())?|(?P<sign>[=<>!~|+*/@#&^-]+|;)|(?P<bracket>[](),[])",
        re.DOTALL | re.IGNORECASE,
    )
    for name, texts in _TEXTS.items()
}
_COMPARISON = re.compile(r"[=<>!~]+\*?")
_COMPARING = frozenset(
    ("in", "like", "ilike", "regexp", "rlike", "similar", "glob", "is", "between")
)
_BETWEEN = frozenset(
    ("not", "any", "all", "some", "array", "to", "binary", "distinct", "from", "symmetric")
)
_ENDING = frozenset(
    ("and", "or", "xor", "when", "then", "else", "case", "end", "select", "where", "on", "having")
)
# What one of these is given stands for the others.
_CHOOSING = frozenset(("coalesce", "ifnull", "nullif", "nvl"))
# The argument before names what the next one of these is.
_NAMING = re.compile(r"jsonb?_(?:\w{1,20}_)?object|json_(?:set|insert|replace)|hstore|set_config")
_JOINING = frozenset(("concat", "concat_ws", "format", "printf"))
# Their key is an argument.
_CRYPT = r"(?:\w{1,60}_)?(?:en|de)crypt(?:_\w{1,60})?|crypt|hmac"
_ENCRYPTING = {
    "postgresql": re.compile(_CRYPT),
    "sqlite": re.compile(_CRYPT),
    "mysql": re.compile(rf"{_CRYPT}|(?:en|de)code"),
}
# SQL without one of these, and without the name of a secret, has no literal that is compared with
# one, joined to one, or encrypts.
_WORTH_READING = re.compile(r"crypt|hmac|(?:en|de)code|://", re.IGNORECASE)
_LONGEST_FIELD = 100


def without_secret_literals(sql: str, dialect: str, column: str = "") -> str:
    """The SQL with '…' in the place of literals that hold a secret, or are compared with one.

    `column` is the name of what gets the value of the SQL: its literals are that value.
    """
    # Where they are no name, double quotes are those of a literal but in PostgreSQL.
    if "'" in sql or ('"' in sql and dialect != "postgresql"):
        if names_a_secret(column):
            sql = _without(sql, _values_of(column, sql, dialect))
        if may_name_a_secret(sql) or _WORTH_READING.search(sql):
            sql = _without(sql, _compared(sql, dialect))
    return _without_holders(sql, _LITERALS[dialect])


def _values_of(column: str, sql: str, dialect: str) -> Iterator[re.Match[str]]:
    for found in _LITERALS[dialect].finditer(sql):
        # A name would be no default.
        is_default = dialect != "postgresql" and found[0] == sql and sql[0] == '"'
        is_value = is_default or (_is_literal(found[0]) and not _names_a_relation(found))
        if is_value and is_hidden(column, _content(found)):
            yield found


def _compared(sql: str, dialect: str) -> Iterator[re.Match[str]]:
    """Literals that the name of a secret is compared with, from either side, or given to.

    And those that encrypt, or are joined to what announces a secret.
    """
    name = compared = before = ""
    brackets = _Brackets(_ENCRYPTING[dialect])
    # The literal before, while nothing but a cast or bracket has followed: of what is compared it
    # may be the name, as in `settings ->> 'api_key'`.
    last: re.Match[str] | None = None
    # What is left of a comparison, or of AS, until a name follows.
    left: list[re.Match[str]] = []
    # A literal on the right makes something true or false, and is no value of what is around.
    is_right = is_between = False
    for found in _PARTS[dialect].finditer(sql):
        text, kind = found[0], found.lastgroup
        word = text.lower() if kind in ("word", "call") else ""
        if word == "from":
            brackets.begin()
        is_comment = kind == "text" and text.startswith(("--", "/*"))
        if kind == "skipped" or is_comment or word in _BETWEEN:
            continue
        if word == "and" and is_between:
            is_between = False
        elif kind == "bracket":
            if text == ",":
                brackets.go_on()
                bracket = brackets.last
                compared = bracket.compared
                if bracket.opened_by in _CHOOSING:
                    compared = _field(last) or name
                elif _NAMING.fullmatch(bracket.opened_by):
                    compared = _field(last)
            elif text in "([":
                brackets.open(before, compared)
            else:
                name, compared = brackets.close() or name, ""
        elif kind == "text" and _is_literal(text):
            content = _content(found)
            bracket = brackets.last
            if bracket.hides(content) or is_hidden(compared, content):
                yield found
            if not is_right and not _names_a_relation(found):
                bracket.literals.append(found)
            if _SECRET_ELSEWHERE.search(text) and holds_a_secret(content):
                bracket.is_joined = True
            last, left = found, []
        elif kind == "text" and _is_no_name(text, dialect) and is_hidden(compared, text[1:-1]):
            yield found
        elif kind == "sign" or word in _COMPARING:
            is_right = is_comparison = bool(word or _COMPARISON.fullmatch(text))
            is_between = word == "between"
            name = (_field(last) if is_comparison else "") or name
            compared = name if is_comparison else ""
            bracket = brackets.last
            last, left = None, bracket.literals if is_comparison else []
            bracket.is_joined &= text == "||"
            if text == ";":
                brackets = _Brackets(_ENCRYPTING[dialect])
        elif word == "as":
            last, left, is_right = None, brackets.last.literals, False
            brackets.last.is_joined = False
        elif word in _ENDING:
            compared = brackets.end(word, name)
            name = ""
            last, left, is_right = None, [], False
        elif kind == "call":
            # What is in its brackets is compared, and not the function.
            last = None
        else:
            name, compared = text.strip('"`[]'), ""
            if names_a_secret(name):
                brackets.last.name = name
                for literal in left:
                    if is_hidden(name, _content(literal)):
                        yield literal
                # Each is looked at once.
                left.clear()
            last, left, is_right = None, [], False
        before = word


class _Bracket:
    """What has been read in brackets, or between CASE and END."""

    # There are as many as somebody writes brackets.
    __slots__ = ("compared", "is_joined", "is_secret", "literals", "name", "opened_by")

    def __init__(self, opened_by: str, compared: str, *, is_secret: bool) -> None:
        """Nothing is read; whether all of it is a secret goes by what is around."""
        self.opened_by = opened_by
        self.compared = compared
        self.is_secret = is_secret
        # Whether a literal before announces that a secret follows.
        self.is_joined = False
        self.name = ""
        self.literals: list[re.Match[str]] = []

    def hides(self, content: str) -> bool:
        """Whether a literal is a secret here, whatever it is compared with."""
        return (self.is_secret or self.is_joined) and not is_no_value(content)


class _Brackets:
    """The brackets around what is being read."""

    def __init__(self, encrypting: re.Pattern[str]) -> None:
        """Nothing is read."""
        self._encrypting = encrypting
        self._all = [_Bracket("", "", is_secret=False)]

    @property
    def last(self) -> _Bracket:
        """The innermost."""
        return self._all[-1]

    def begin(self) -> None:
        """Begin an operand that has nothing to do with the one before."""
        self.last.literals, self.last.is_joined = [], False

    def go_on(self) -> None:
        """Begin another in the same brackets: outside of them all count that they hold."""
        if len(self._all) > 1:
            self._tell_outer()
        self.last.literals = []
        self.last.is_joined &= self.last.opened_by in _JOINING

    def open(self, opened_by: str, compared: str) -> None:
        """Begin one in brackets, which a function may stand before."""
        outer = self.last
        encrypts = bool(opened_by) and self._encrypting.fullmatch(opened_by) is not None
        is_secret = outer.is_secret or outer.is_joined or encrypts
        self._all.append(_Bracket(opened_by, compared, is_secret=is_secret))

    def close(self) -> str:
        """Go on behind the brackets with what they hold; gives the name of a secret in them."""
        if len(self._all) == 1:
            return ""
        self._tell_outer()
        closed = self._all.pop()
        self.last.is_joined |= closed.is_joined
        self.last.name = closed.name or self.last.name
        return closed.name

    def end(self, word: str, name: str) -> str:
        """Begin another operand behind this word; CASE and END are brackets around its results.

        Gives what a literal is compared with that follows: behind WHEN the name behind CASE.
        """
        if word == "case":
            self.open(word, "")
        elif word == "end":
            self.close()
        elif word in ("when", "else"):
            self.go_on()
            if self.last.opened_by == "case":
                self.last.opened_by, self.last.compared = "", name
        else:
            # Both sides of AND and OR are only true or false: nothing is joined to them.
            self.begin()
        self.last.name = ""
        return self.last.compared if word == "when" else ""

    def _tell_outer(self) -> None:
        # The shorter is added to the longer: brackets in brackets are not read again and again.
        outer, inner = self._all[-2], self._all[-1]
        more, fewer = outer.literals, inner.literals
        if len(fewer) > len(more):
            more, fewer = fewer, more
        more += fewer
        outer.literals = more


def _field(literal: re.Match[str] | None) -> str:
    """The literal's text if that is the name of a secret, as of a field of JSON; else ''."""
    text = _content(literal).strip('{}[]"') if literal else ""
    return text if len(text) <= _LONGEST_FIELD and names_a_secret(text) else ""


def _is_literal(text: str) -> bool:
    return text[-1] == "'" and text[0] not in _MARKS_OF_NAMES and not text.startswith(("--", "/*"))


def _is_no_name(text: str, dialect: str) -> bool:
    """Whether double quotes hold a literal, as SQLite has it of what names no column."""
    is_quoted = dialect != "postgresql" and text[0] == '"'
    return is_quoted and not is_ordinary(text[1:-1]) and not names_a_secret(text[1:-1])


def _names_a_relation(literal: re.Match[str]) -> bool:
    return literal.string.startswith("::regclass", literal.end())


def _content(literal: re.Match[str]) -> str:
    text = literal[0]
    return text[text.index(text[-1]) + 1 : -1]


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

    def told(found: re.Match[str]) -> str:
        text = found[0]
        if text not in secrets:
            return text
        return "'…'" if text[-1] == "'" else ""

    return texts.sub(told, sql)
