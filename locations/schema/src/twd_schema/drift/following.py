"""Whether a text of the server differs only by renames: the definition of a view, a check, a type.

A server keeps what a definition means by ids and writes it with today's names, so that a rename
changes the texts of all that names the object, and changes nothing in them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<literal>[Ee]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d[\w.]*)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_Token = tuple[str, str]
"""(kind, text); a name is the same quoted and unquoted."""

_AS = ("name", "AS")
_DOT = ("sign", ".")
# A literal before it is a name.
_REGCLASS = [("sign", ":"), ("sign", ":"), ("name", "regclass")]


@dataclass(frozen=True, slots=True)
class NamePairs:
    """Old and new names that one object's texts may show: (old, new) each."""

    names: Collection[tuple[str, str]] = field(default_factory=frozenset)
    labels: Collection[tuple[str, str]] = field(default_factory=frozenset)
    own_columns: Collection[tuple[str, str]] = field(default_factory=frozenset)
    """Of the object itself; they are among `names` as well."""


def follows(old: str | None, new: str | None, pairs: NamePairs) -> bool:
    """Whether `new` is `old` with nothing but these names replaced."""
    if old is None or new is None or old == new:
        return old == new
    before, after = _tokens(old), _tokens(new)
    at, to = 0, 0
    while at < len(before) and to < len(after):
        one, other = before[at], after[to]
        skipped = _told_columns(before, at, pairs, 1), _told_columns(after, to, pairs, 0)
        if any(skipped) and not all(skipped):
            at, to = at + skipped[0], to + skipped[1]
            continue
        if not _same(one, other, pairs, after[to + 1 : to + 4] == _REGCLASS):
            return False
        at, to = at + 1, to + 1
        # Of a column that is named otherwise than what it shows, the server writes the name.
        told_before, told_after = _alias(before, at), _alias(after, to)
        if (told_before is None) != (told_after is None) and one[0] == "name":
            outputs = (told_before or one[1], told_after or other[1])
            if outputs[0] != outputs[1] and outputs not in pairs.own_columns:
                return False
            at += 2 if told_before is not None else 0
            to += 2 if told_after is not None else 0
    return at == len(before) and to == len(after)


def is_requalified(old: str | None, new: str | None) -> bool:
    """Whether the two differ only in names of relations before columns, which one leaves out.

    Since PostgreSQL 16 a view of one table names it no longer before each column.
    """
    if old is None or new is None or old == new:
        return False
    before, after = _tokens(old), _tokens(new)
    at, to = 0, 0
    while at < len(before) and to < len(after):
        named = _is_qualified(before, at), _is_qualified(after, to)
        at += 2 if named[0] > named[1] else 0
        to += 2 if named[1] > named[0] else 0
        if before[at] != after[to]:
            return False
        at, to = at + 1, to + 1
    return at == len(before) and to == len(after)


def _is_qualified(tokens: list[_Token], at: int) -> bool:
    """Whether a name with what it stands in begins here, and not in its midst."""
    kinds = [kind for kind, _ in tokens[at : at + 3 : 2]]
    begins = at == 0 or tokens[at - 1] != _DOT
    return begins and kinds == ["name", "name"] and tokens[at + 1] == _DOT


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    for match in _TOKEN.finditer(text):
        if match["space"] is not None:
            continue
        if match["quoted"] is not None:
            found.append(("name", match["quoted"][1:-1].replace('""', '"')))
        elif match["word"] is not None:
            found.append(("name", match["word"]))
        else:
            found.append((match.lastgroup or "", match[0]))
    return found


def _same(one: _Token, other: _Token, pairs: NamePairs, is_name: bool) -> bool:
    if one == other:
        return True
    if one[0] != other[0]:
        return False
    if one[0] == "name":
        return (one[1], other[1]) in pairs.names
    if one[0] != "literal":
        return False
    texts = (_unquoted(one[1]), _unquoted(other[1]))
    return texts in pairs.labels or (is_name and follows(*texts, pairs))


def _unquoted(literal: str) -> str:
    return literal[1:-1].replace("''", "'") if literal.startswith("'") else literal


def _told_columns(tokens: list[_Token], at: int, pairs: NamePairs, side: int) -> int:
    """How many tokens repeat a relation's name with the names that its columns go by: a(x, y).

    The server writes them where a join is USING a column that one side calls otherwise; they count
    if one of them is the other name (`side` of the pairs) of a column that was renamed.
    """
    if tokens[at][0] != "name" or tokens[at - 1 : at] != tokens[at : at + 1]:
        return 0
    end = at + 1
    if tokens[end : end + 1] != [("sign", "(")]:
        return 0
    listed: set[str] = set()
    while end < len(tokens) and tokens[end] != ("sign", ")"):
        if tokens[end][0] == "name":
            listed.add(tokens[end][1])
        elif tokens[end][1] not in "(,":
            return 0
        end += 1
    return end + 1 - at if listed & {pair[side] for pair in pairs.names} else 0


def _alias(tokens: list[_Token], at: int) -> str | None:
    """The name after AS, if that stands here."""
    if tokens[at : at + 1] == [_AS] and len(tokens) > at + 1 and tokens[at + 1][0] == "name":
        return tokens[at + 1][1]
    return None
