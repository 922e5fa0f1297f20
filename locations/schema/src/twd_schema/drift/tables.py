"""Differences of one table whose old state is said in new names: itself and its columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import msgspec

from twd_schema.drift.changes import Change
from twd_schema.drift.column_types import (
    added_labels,
    keeps_collation,
    spelled_alike,
    type_of,
    widened,
)
from twd_schema.drift.excerpts import from_to, told_comments, told_sql
from twd_schema.drift.following import is_requalified
from twd_schema.drift.keys import key_changes
from twd_schema.drift.replaced import another_column, replacing
from twd_schema.drift.telling import of_column, of_table
from twd_shared.schema_model.models import Column, Table

_SECURITY_INVOKER = "security_invoker="
_MYSQL_INVOKER = "SQL SECURITY INVOKER"
# As PostgreSQL reads an option, which it keeps as it was written.
_TRUE = re.compile("[ty1]|on", re.IGNORECASE)


def table_changes(
    old: Table, new: Table, dialect: str, *, upgraded: bool = False
) -> Iterator[Change]:
    """What changed of a table; at least one change if the two differ.

    `upgraded` says that another release of the server wrote the new one.
    """
    may_be_unreadable = dialect != "postgresql" and old.is_view and new.is_view
    if may_be_unreadable and old.columns and not new.columns:
        # Or its owner may no longer read that, which servers tell in the same words.
        why = "what it reads is gone, changed, or not granted"
        sentence = f"View {new.label} cannot be read any more: {why}."
        yield of_table(new, "view_unreadable", sentence)
        return
    respelled = [*_respelled(old, new, dialect)] if upgraded else []
    if respelled:
        old = msgspec.structs.replace(old, definition=new.definition)
    changes = (
        *_columns(old, new, dialect),
        *key_changes(old, new, dialect),
        *_itself(old, new, dialect),
        *respelled,
    )
    if changes or old == new:
        yield from changes
    else:
        # Nothing that differs goes untold: it may be what its definition depends on.
        yield of_table(new, "table_definition_changed", f"What {new.label} depends on changed.")


def removed_column(table: Table, column: Column) -> Change:
    """A column that is gone from the table; `table` as it is now."""
    type_ = type_of(column)
    rule, what = "column_removed", f"was removed (it was {type_})"
    if other := replacing(column, table):
        rule, what = "column_replaced", f"{what}, and its {another_column(column, other)}"
    return of_column(table, column.name, rule, what, before=type_)


def _respelled(old: Table, new: Table, dialect: str) -> Iterator[Change]:
    shape, now = (
        (table.kind, table.depends_on, [(item.name, type_of(item)) for item in table.columns])
        for table in (old, new)
    )
    if shape == now and is_requalified(old.definition, new.definition):
        what = "is written otherwise by another release of the server: it means the same"
        sentence = f"The definition of {new.label} {what}."
        definitions = told_sql(old.definition, new.definition, dialect)
        yield of_table(new, "view_definition_respelled", sentence, "", *definitions)


def _itself(old: Table, new: Table, dialect: str) -> Iterator[Change]:
    secured = _is_invokers(old) != _is_invokers(new)
    # That a column came, went or may be null now is told of it.
    lasting = {(item.name, item.nullable) for item in old.columns}
    lasting &= {(item.name, item.nullable) for item in new.columns}
    compared: tuple[tuple[str, str, Callable[[Table], Any]], ...] = (
        ("table_comment_changed", "comment", lambda table: table.comment),
        ("view_definition_changed", "definition", lambda table: table.definition),
        ("partitioning_changed", "partition key", lambda table: table.partition_key),
        ("inheritance_changed", "inheritance", lambda table: _inheritance(table, lasting)),
        (
            "storage_changed",
            "options" if new.kind == "view" else "storage",
            lambda table: _stored(table, _others(table) if secured else table.storage),
        ),
    )
    if old.kind != new.kind:
        before, after = (f"a {table.kind.replace('_', ' ')}" for table in (old, new))
        sentence = f"Table {new.label} is of another kind: {after} now, {before} before."
        yield of_table(new, "table_kind_changed", sentence, "", old.kind, new.kind)
    if secured:
        whose = "whoever asks it" if _is_invokers(new) else "its owner"
        sentence = f"View {new.label} reads with the rights of {whose} now."
        yield of_table(new, "view_security_changed", sentence)
    for rule, what, read in compared:
        before, after = read(old), read(new)
        if before != after:
            was, now = (value if isinstance(value, str) else "" for value in (before, after))
            is_comment = what == "comment"
            values = told_comments(was, now) if is_comment else told_sql(was, now, dialect)
            sentence = f"The {what} of {new.label} changed{from_to(*values)}."
            yield of_table(new, rule, sentence, "", *values)


def _stored(table: Table, parameters: Sequence[str]) -> str:
    kind = ("unlogged",) if table.unlogged else ()
    server = (f"server {' of '.join(table.server)}",) if table.server else ()
    return ", ".join((*parameters, *kind, *server, *table.options))


def _others(table: Table) -> Sequence[str]:
    of_security = (_SECURITY_INVOKER, _MYSQL_INVOKER)
    return [item for item in table.storage if not item.startswith(of_security)]


def _is_invokers(table: Table) -> bool:
    """Whether a view reads with the rights of who asks it: they may not suffice."""
    said = (item for item in table.storage if item.startswith(_SECURITY_INVOKER))
    return _MYSQL_INVOKER in table.storage or any(
        _TRUE.match(item, len(_SECURITY_INVOKER)) for item in said
    )


def _inheritance(table: Table, lasting: Collection[tuple[str, bool]]) -> Any:
    return table.inherits, [
        (column.name, column.inherited, column.not_null_inherited)
        for column in sorted(table.columns, key=lambda column: column.name)
        if (column.name, column.nullable) in lasting
    ]


def _columns(old: Table, new: Table, dialect: str) -> Iterator[Change]:
    if old.columns == new.columns:
        return
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    for name in sorted(before.keys() - after.keys()):
        yield removed_column(new, before[name])
    for name in sorted(after.keys() - before.keys()):
        type_ = type_of(after[name])
        yield of_column(new, name, "column_added", f"was added as {type_}", after=type_)
    for name in sorted(before.keys() & after.keys()):
        if before[name] != after[name]:
            yield from _column(old, before[name], new, after[name], dialect)
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before]:
        yield of_table(new, "column_order_changed", f"The columns of {new.label} were reordered.")


def _column(
    old_table: Table, old: Column, table: Table, new: Column, dialect: str
) -> Iterator[Change]:
    def change(rule: str, what: str, before: str | None, after: str | None) -> Change:
        return of_column(table, new.name, rule, what, before, after)

    one, other = type_of(old), type_of(new)
    if one != other:
        keeps = keeps_collation(old_table, old, table, new)
        labels = added_labels(old.type, new.type)
        if keeps and spelled_alike(old.type, new.type):
            what = f"has its type written as {other} now, not as {one}: it holds the same"
            yield change("column_type_respelled", what, one, other)
        elif keeps is None and spelled_alike(old.type, new.type):
            what = f"may compare otherwise, as its table's collation has changed: it was {one}"
            yield change("column_collation_changed", what, one, other)
        elif keeps and labels:
            what = f"gained {', '.join(map(repr, labels))} in its list of values"
            yield change("column_labels_added", what, one, other)
        elif keeps and (way := widened(old.type, new.type)):
            what = f"has the wider type {other} now: it was {one}"
            if way == "promoted":
                what += ", which a function or a cast may tell apart"
            yield change(f"column_type_{way}", what, one, other)
        else:
            what = f"changed its type from {one} to {other}"
            yield change("column_type_changed", what, one, other)
    if old.nullable != new.nullable:
        now = "may be null now" if new.nullable else "may no longer be null"
        words = ("null", "not null") if old.nullable else ("not null", "null")
        yield change("column_nullability_changed", now, *words)
    if old.default != new.default:
        defaults = told_sql(old.default, new.default, dialect, new.name)
        yield change(
            "column_default_changed", f"changed its default{from_to(*defaults)}", *defaults
        )
    if old.options != new.options:
        options = told_sql(", ".join(old.options), ", ".join(new.options), dialect)
        yield change("column_options_changed", f"changed its options{from_to(*options)}", *options)
    if _generation(old, old.generated) != _generation(new, new.generated):
        sql = told_sql(old.generated, new.generated, dialect, new.name)
        before, after = _generation(old, sql[0]), _generation(new, sql[1])
        if before and after:
            what = f"changed how it is generated{from_to(before, after)}"
        elif after:
            what = f"is generated {after} now"
        else:
            what = f"is no longer generated (before: {before})"
        yield change("column_generation_changed", what, before, after)
    if old.invisible != new.invisible:
        what = "is left out of SELECT * now" if new.invisible else "is in SELECT * again"
        yield change("column_visibility_changed", what, None, None)
    if old.comment != new.comment:
        comments = told_comments(old.comment, new.comment)
        yield change(
            "column_comment_changed", f"changed its comment{from_to(*comments)}", *comments
        )


def _generation(column: Column, sql: str | None) -> str:
    if column.identity is not None:
        return f"{column.identity} as identity"
    if column.generated is not None:
        return f"as ({sql}) {'virtual' if column.virtual else 'stored'}"
    return ""
