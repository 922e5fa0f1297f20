"""Secrets in the texts of a schema: options that hold one, literals in views and defaults. Pure.

Patterns are bounded: whoever writes a schema writes the texts that they are held against.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from twd_shared.schema_model.models import Table

# What is longer is taken for one without a look: neither an option nor a literal is often so long.
_LONGEST_SEEN = 4_000

_SECRET_NAME = re.compile(
    r"pass|pwd|(?<![a-z])pw(?![a-z])|secret|token|credential|private|auth(?!or\b)|bearer|cookie"
    r"|m[aậ]t[_ -]?kh[aẩ]u"
    # A key alone says which columns are one.
    r"|(?:api|access|account|shared|master|encryption|signing)[_ -]?key",
    re.IGNORECASE,
)
# What stands in an address, a connection string, a header or a command line.
_SECRET_VALUE = re.compile(
    r"://[^/?#\s]{0,500}@|://[^/?#\s@:]{0,500}:\S{0,500}@"
    r"|(?:pass|passwd|password|pwd|(?<![a-z])pw|secret|token|\bsig|\bauthorization"
    r"|(?:api|access|account|shared)[_-]?key)[\"'\\]{0,8}\s{0,8}[=:]"
    r"|\bbearer\s|\s(?:-u|--user)[\s=]{0,8}\S{1,500}:\S|--(?:pass\w{0,20}|token|api-?key)[\s=]"
    r"|-----BEGIN .{0,50}PRIVATE KEY",
    re.IGNORECASE,
)
# The secret itself stands in another literal, which is added to this one or put in its place.
_SECRET_ELSEWHERE = re.compile(r"[=:][\"'\\\s]{0,8}(?:$|%)")

_MARKS_OF_NAMES = '"`['
# One that is not closed goes on to the end.
_COMMENT = r"--[^\n]*|/\*.*?(?:\*/|\Z)"
_ESCAPING = r"'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'"
_PLAIN = r"'[^']*(?:''[^']*)*'"
_QUOTED = r"\"[^\"]*(?:\"\"[^\"]*)*\""
_STANDARD = re.compile(f"{_COMMENT}|(?<![\\w$])[eE]{_ESCAPING}|{_PLAIN}|{_QUOTED}", re.DOTALL)
_TEXTS: Mapping[str, re.Pattern[str]] = {
    "postgresql": _STANDARD,
    "sqlite": re.compile(
        "|".join((_COMMENT, _PLAIN, _QUOTED, "`[^`]*`", r"\[[^\]]*\]")), re.DOTALL
    ),
    "mysql": re.compile(
        "|".join((_COMMENT, _ESCAPING, _ESCAPING.replace("'", '"'), "`[^`]*`")), re.DOTALL
    ),
}


def names_a_secret(name: str) -> bool:
    """Whether what has this name is a secret, as far as the name tells."""
    return bool(_SECRET_NAME.search(name))


def holds_a_secret(value: str) -> bool:
    """Whether a secret stands in the value; of one that is very long, that is taken for granted."""
    return len(value) > _LONGEST_SEEN or bool(_SECRET_VALUE.search(value))


def without_secrets(table: Table, dialect: str) -> Table:
    """The table with '…' in the place of literals of its SQL that hold a secret.

    So it goes where others read: to the index, to the knowledge base. Comments on the table and its
    columns are as people wrote them.
    """
    texts = _TEXTS[dialect]

    def shown(sql: str | None) -> str | None:
        return _shown(sql, texts) if sql else sql

    told = msgspec.structs.replace(
        table,
        definition=shown(table.definition),
        columns=tuple(
            msgspec.structs.replace(
                column, default=shown(column.default), generated=shown(column.generated)
            )
            if column.default or column.generated
            else column
            for column in table.columns
        ),
        constraints=tuple(
            msgspec.structs.replace(item, definition=_shown(item.definition, texts))
            for item in table.constraints
        ),
        indexes=tuple(
            msgspec.structs.replace(
                index,
                columns=tuple(_shown(column, texts) for column in index.columns),
                definition=shown(index.definition),
                predicate=shown(index.predicate),
            )
            for index in table.indexes
        ),
        partition_key=shown(table.partition_key),
    )
    return table if told == table else told


def _shown(sql: str, texts: re.Pattern[str]) -> str:
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
