"""Constraints in SQL, composed as PostgreSQL deparses them, or as the server gave them."""

from __future__ import annotations

from twd_shared.schema_model.ddl.names import qualified, quote_name, quote_names
from twd_shared.schema_model.models import ForeignKey, Key

ON_CONFLICT = " ON CONFLICT "
"""Before what SQLite does with a row that a key forbids: the last words of the key's definition."""


def key_definition(key: Key, kind: str, dialect: str) -> str:
    """`PRIMARY KEY (…)` or `UNIQUE (…)`, without the constraint's name; `kind` is either word."""
    return key.definition or f"{kind} ({quote_names(key.columns, dialect)})"


def foreign_key_definition(key: ForeignKey, dialect: str = "postgresql") -> str:
    """`FOREIGN KEY (…) REFERENCES …` with its actions, without the constraint's name."""
    if key.definition:
        return key.definition
    # In SQLite a key cannot leave its database file, and naming that is an error.
    schema = "" if dialect == "sqlite" else key.referenced_schema
    text = (
        f"FOREIGN KEY ({quote_names(key.columns, dialect)}) "
        f"REFERENCES {qualified(schema, key.referenced_table, dialect)}"
    )
    if key.referenced_columns:
        text += f"({quote_names(key.referenced_columns, dialect)})"
    for event, action in (("UPDATE", key.on_update), ("DELETE", key.on_delete)):
        if action != "NO ACTION":
            text += f" ON {event} {action}"
    if key.deferrable:
        text += " DEFERRABLE" + (" INITIALLY DEFERRED" if key.initially_deferred else "")
    return text


def named(name: str | None, definition: str, dialect: str = "postgresql") -> str:
    """The definition with `CONSTRAINT name` before it, if it has a name."""
    return f"CONSTRAINT {quote_name(name, dialect)} {definition}" if name else definition


def is_validated(definition: str) -> bool:
    """Whether a definition can stand inside CREATE TABLE: there, NOT VALID would be ignored."""
    return not definition.endswith(" NOT VALID")
