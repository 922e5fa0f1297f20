"""Names and texts as a dialect writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
# Reserved in PostgreSQL 18 (table C.1 of its manual) or in SQL:2023; quoting one more is harmless.
_RESERVED = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between binary both by
    case cast check collate collation column concurrently constraint create cross
    current_catalog current_date current_role current_schema current_time current_timestamp
    current_user default deferrable desc distinct do else end except false fetch for foreign
    freeze from full grant group having ilike in index initially inner insert intersect into
    is isnull join key lateral leading left like limit localtime localtimestamp natural not
    notnull null offset on only or order outer overlaps placing primary range references
    returning right rows select session_user set similar some symmetric system_user table
    tablesample then to trailing true union unique update user using values variadic verbose
    view when where window with
    """.split()
)


def quote_name(name: str, dialect: str = "postgresql") -> str:
    """`name` as an identifier of `dialect`, quoted unless it is plain and not reserved."""
    if _PLAIN_NAME.match(name) and name not in _RESERVED:
        return name
    mark = "`" if dialect == "mysql" else '"'
    return mark + name.replace(mark, mark * 2) + mark


def quote_names(names: Iterable[str], dialect: str = "postgresql") -> str:
    """The names as a list for SQL: `a, "B"`."""
    return ", ".join(quote_name(name, dialect) for name in names)


def qualified(schema: str, name: str, dialect: str = "postgresql") -> str:
    """`schema.name`, or the name alone where there is no schema."""
    quoted = quote_name(name, dialect)
    return f"{quote_name(schema, dialect)}.{quoted}" if schema else quoted


def literal(text: str, dialect: str = "postgresql") -> str:
    """`text` as a string constant, whatever the server holds of backslashes."""
    quoted = "'" + text.replace("'", "''") + "'"
    if "\\" not in text or dialect == "sqlite":
        return quoted
    quoted = quoted.replace("\\", "\\\\")
    return quoted if dialect == "mysql" else f"E{quoted}"
