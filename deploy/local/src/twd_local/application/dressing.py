"""How assistants write down one and the same SQL: fences, semicolons, comments, case, lines.

Only what changes nothing: a dressed statement, taken out of its fence, gives the same result or
the same error text.
"""

from __future__ import annotations

import random
import re

_KEYWORDS = re.compile(
    r"\b(SELECT|DISTINCT|FROM|LEFT|JOIN|ON|WHERE|AND|GROUP|ORDER|BY|HAVING|LIMIT|AS|DESC|WITH"
    r"|OVER|PARTITION|IN|IS|NOT|NULL|BETWEEN)\b"
)
_LINE_STARTS = re.compile(r" (?=(?:FROM|LEFT JOIN|JOIN|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT)\b)")
_TEXTS = re.compile(r"('(?:[^']|'')*')")
_COMMENTS = ("-- generated\n", "-- Truy vấn theo yêu cầu\n", "/* v2 */ ", "/* assistant */\n")

_PLAIN_SHARE = 0.5
_LINES_SHARE = 0.4
_LOWER_SHARE = 0.2
_COMMENT_SHARE = 0.08
_SEMICOLON_SHARE = 0.45
_FENCE_SHARE = 0.12


def dressed(draw: random.Random, sql: str) -> str:
    """The SQL as one of many assistants would write it."""
    if draw.random() < _PLAIN_SHARE:
        return sql
    if draw.random() < _LINES_SHARE:
        sql = _outside_texts(_LINE_STARTS, "\n", sql)
    if draw.random() < _LOWER_SHARE:
        sql = _lower(sql)
    if draw.random() < _COMMENT_SHARE:
        sql = draw.choice(_COMMENTS) + sql
    if draw.random() < _SEMICOLON_SHARE:
        sql += ";"
    if draw.random() < _FENCE_SHARE:
        sql = f"```sql\n{sql}\n```"
    return sql


def _outside_texts(pattern: re.Pattern[str], replacement: str, sql: str) -> str:
    parts = _TEXTS.split(sql)
    parts[::2] = [pattern.sub(replacement, part) for part in parts[::2]]
    return "".join(parts)


def _lower(sql: str) -> str:
    parts = _TEXTS.split(sql)
    parts[::2] = [_KEYWORDS.sub(lambda found: found[0].lower(), part) for part in parts[::2]]
    return "".join(parts)
