"""Classes of what goes wrong with generated SQL, from the text that the database answered.

Known: the messages of PostgreSQL, MySQL and SQLite in English, and codes in any language. What one
server says of a mistake has the class of what the others say of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Literal

ErrorClass = Literal[
    "syntax",
    "unknown_table",
    "unknown_column",
    "ambiguous_column",
    "type",
    "permission",
    "timeout",
    "empty_result",
    "other",
]

_MYSQL = r"(?:\(|error )"
"""What stands before a number of MySQL's."""
# The first that matches counts: a refused table says "permission denied for table x", and a column
# that is missing may be called timeout.
_SIGNS: tuple[tuple[ErrorClass, str], ...] = (
    (
        "permission",
        r"permission denied|command denied|access denied|must be owner|read[ -]only transaction"
        r"|readonly database|--read-only option|not authorized|is prohibited"
        r"|\b(42501|25006)\b|" + _MYSQL + r"(1142|1143|1044|1045|1290|1792)\b",
    ),
    (
        "unknown_column",
        r"column .* does not exist|unknown column|no such column|no field .* in"
        r"|not present in both tables|\b42703\b|" + _MYSQL + r"1054\b",
    ),
    (
        "unknown_table",
        r"(relation|table|schema) .*(does not exist|doesn't exist)|unknown (table|database)"
        r"|no such table|missing from-clause|invalid reference to from-clause"
        r"|\b(42P01|3F000)\b|" + _MYSQL + r"(1146|1109|1051|1049)\b",
    ),
    (
        "ambiguous_column",
        r"is ambiguous|ambiguous column|more than once in (left|right) table|\b42702\b|"
        + _MYSQL
        + r"1052\b",
    ),
    (
        "timeout",
        r"timed? ?out|execution time exceeded|\b57014\b|" + _MYSQL + r"(3024|1205)\b",
    ),
    (
        "type",
        r"operator does not exist|function .* does not exist|no such function|type .*does not exist"
        r"|wrong number of arguments|parameter count|is not unique|invalid (input )?value"
        r"|invalid input syntax|malformed (array|record|range|multirange|json)"
        r"|cannot cast|cannot subscript|could not (determine|convert|identify)"
        r"|datatype mismatch|data type|must be type|cannot be matched|is of type|incorrect .* value"
        r"|truncated incorrect|illegal mix|(?<!term )out of range"
        r"|\b(42883|42725|42704|42804|42846|22P02|22007|22008|22003)\b|"
        + _MYSQL
        + r"(1292|1366|1305|1582|1267|1525|4078|4161)\b",
    ),
    (
        "syntax",
        r"syntax|unterminated|incomplete input|unrecognized token|must appear in the group by"
        r"|not in group by|required before having|having clause on|cannot be nested"
        r"|not allowed in|allowed only in|misuse|use of group function|requires an over clause"
        r"|subquery has too (many|few)|must return only one column|operand should contain"
        r"|sub-select|must match initial order by|same number of|different number of"
        r"|must all be the same length"
        r"|must appear in select list|not in select list|term out of range"
        r"|must have (an|its own) alias|specified more than once|not unique table"
        r"|\b(42601|42803|42P10|42P20|42712)\b|"
        + _MYSQL
        + r"(1064|1055|1056|1066|1111|1140|1222|1241|1248|4015|4099)\b",
    ),
)


# The SQL, names and values that the text repeats say nothing of its kind.
_ECHOED = re.compile(
    r"\n(?!error|code)\w+ \d+ ?:[^\n]*(?=\n\s*\^|\Z)|\[SQL:.*", re.DOTALL | re.IGNORECASE
)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`|»[^«]*«")


# Of an error that is kept as an object; what else it holds may be the statement.
_SAYING = frozenset(
    {
        "code",
        "detail",
        "errno",
        "error",
        "errors",
        "message",
        "msg",
        "sqlmessage",
        "sqlstate",
        "type",
    }
)
# A name of an object and its text or number in JSON that was cut, be it within that text. A quote
# in a text stands behind a backslash there, so that nothing in a text is taken for a name.
_NAMED = re.compile(r'"(\w+)"\s*:\s*(?:"((?:[^"\\\n]|\\.)*)|(\d+))')


def class_of_error(text: str) -> ErrorClass | None:
    """The class of a database's error text, or None if no sign of a class is in it."""
    said = "\n".join(_QUOTED.sub('""', _ECHOED.sub("", part)) for part in _said_in(text))
    return next((name for name, sign in _SIGNS if re.search(sign, said, re.IGNORECASE)), None)


def _said_in(text: str) -> list[str]:
    """What the text says; of objects in JSON the texts that tell of the error."""
    if not text.lstrip().startswith(("{", "[")):
        return [text]
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        named = _NAMED.findall(text)
        return list(_texts_of_cut(named)) if named else [text]
    is_plain_list = isinstance(value, list) and not any(map(_holds_more, value))
    return [text] if is_plain_list else list(_texts_in(value))


def _texts_in(value: object) -> Iterator[str]:
    # No recursion: lists may be in each other more often than Python calls may.
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting.extend(filter(_holds_more, found))
        elif isinstance(found, dict):
            told = {name: one for name, one in found.items() if str(name).lower() in _SAYING}
            waiting.extend(filter(_holds_more, told.values()))
            for name, one in told.items():
                if one is not None and not _holds_more(one):
                    yield _told(name, one)


def _holds_more(value: object) -> bool:
    return isinstance(value, dict | list)


def _texts_of_cut(named: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    for name, told, number in named:
        if name.lower() not in _SAYING:
            continue
        try:
            yield _told(name, int(number) if number else json.loads(f'"{told}"'))
        except ValueError:  # cut within an escape
            yield told


def _told(name: str, value: object) -> str:
    # A number of MySQL's is known by what stands before it.
    is_number = isinstance(value, int) or name.lower() == "errno"
    return f"error {value}" if is_number else str(value)
