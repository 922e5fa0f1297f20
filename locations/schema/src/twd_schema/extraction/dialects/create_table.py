"""What the text of a CREATE TABLE declares and the server's catalog does not tell.

SQLite keeps names of constraints, checks and generated expressions nowhere else; MySQL shows the
actions of foreign keys to a role that may only SELECT nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twd_schema.extraction.dialects.sql_text import Token, enclosable, items, tokens

_USUAL_CONFLICT = "ABORT"
_OF_TABLE = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})


@dataclass(slots=True)
class DeclaredColumn:
    """What a column's own line says."""

    collation: str | None = None
    generated: str | None = None
    autoincrement: bool = False


@dataclass(slots=True)
class DeclaredForeignKey:
    """A REFERENCES clause; an action that is not written is None."""

    name: str | None
    columns: tuple[str, ...]
    on_update: str | None = None
    on_delete: str | None = None
    deferrable: bool = False
    initially_deferred: bool = False


@dataclass(frozen=True, slots=True)
class DeclaredCheck:
    """A CHECK; `column` is the column in whose line it stands."""

    name: str | None
    column: str | None
    condition: str


@dataclass(frozen=True, slots=True)
class DeclaredKey:
    """A UNIQUE or PRIMARY KEY; `conflict` is what becomes of a row that it forbids, or ""."""

    name: str | None = None
    columns: tuple[str, ...] = ()
    conflict: str = ""


@dataclass(slots=True)
class DeclaredTable:
    """All that a statement declares, each list in the order of the text."""

    columns: dict[str, DeclaredColumn] = field(default_factory=dict[str, DeclaredColumn])
    primary_key: DeclaredKey = DeclaredKey()
    uniques: list[DeclaredKey] = field(default_factory=list[DeclaredKey])
    checks: list[DeclaredCheck] = field(default_factory=list[DeclaredCheck])
    foreign_keys: list[DeclaredForeignKey] = field(default_factory=list[DeclaredForeignKey])


def declared_table(statement: str, *, backslashes: bool = False) -> DeclaredTable:
    """What `statement` declares; `backslashes` escape in its literals, as in MySQL's."""
    table = DeclaredTable()
    body = next(
        (token for token in tokens(statement, backslashes=backslashes) if token.kind == "group"),
        None,
    )
    for item in items(tokens(body.text, backslashes=backslashes)) if body else []:
        column = None if item[0].keyword in _OF_TABLE else item[0].name
        _declare(table, column, item if column is None else item[1:])
    return table


def _declare(table: DeclaredTable, column: str | None, item: list[Token]) -> None:
    own = DeclaredColumn()
    if column is not None:
        table.columns[column] = own
    name: str | None = None
    columns = () if column is None else (column,)
    key: DeclaredForeignKey | None = None
    for position, token in enumerate(item):
        after = item[position + 1 :]
        match token.keyword:
            case "CONSTRAINT" if after:
                name = after[0].name
                continue
            case "PRIMARY":
                table.primary_key = DeclaredKey(name, conflict=_conflict(after))
            case "AUTOINCREMENT":
                own.autoincrement = True
            case "COLLATE" if after:
                own.collation = after[0].name
            case "AS" if after and after[0].kind == "group":
                own.generated = enclosable(after[0].text.strip())
            case "UNIQUE":
                listed = _names(after[0]) if after and after[0].kind == "group" else columns
                table.uniques.append(DeclaredKey(name, listed, _conflict(after)))
            case "CHECK" if after and after[0].kind == "group":
                condition = enclosable(after[0].text.strip())
                table.checks.append(DeclaredCheck(name, column, condition))
            case "KEY" if column is None and after and after[0].kind == "group":
                columns = _names(after[0])
                continue
            case "REFERENCES":
                key = DeclaredForeignKey(name, columns)
                table.foreign_keys.append(key)
            case "ON" | "DEFERRABLE" | "INITIALLY" if key:
                _complete(key, token.keyword, item[position - 1], after)
                continue
            case _:
                continue
        # A FOREIGN KEY's name stands before two keywords, every other one before its own.
        name = None


def _conflict(after: list[Token]) -> str:
    """What ON CONFLICT says behind a key's columns; '' where it says the usual, or nothing."""
    while after and (after[0].kind == "group" or after[0].keyword in ("KEY", "ASC", "DESC")):
        after = after[1:]
    match [token.keyword for token in after[:3]]:
        case ["ON", "CONFLICT", str(action)] if action != _USUAL_CONFLICT:
            return action
        case _:
            return ""


def _complete(key: DeclaredForeignKey, keyword: str, before: Token, after: list[Token]) -> None:
    words = [token.keyword for token in after[:3]]
    if keyword == "DEFERRABLE":
        key.deferrable = before.keyword != "NOT"
    elif keyword == "INITIALLY":
        key.initially_deferred = words[:1] == ["DEFERRED"]
    elif words:
        action = " ".join(words[1:3] if words[1:2] in (["SET"], ["NO"]) else words[1:2])
        if words[0] == "UPDATE":
            key.on_update = action
        elif words[0] == "DELETE":
            key.on_delete = action


def _names(group: Token) -> tuple[str, ...]:
    return tuple(item[0].name for item in items(tokens(group.text)))
