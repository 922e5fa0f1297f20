"""Differences of a table's constraints and indexes, one by one, by their names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple, TypeVar

import msgspec

from twd_schema.drift.changes import Change
from twd_schema.drift.excerpts import from_to, told_comments
from twd_schema.drift.following import NamePairs, follows
from twd_schema.drift.telling import of_table
from twd_schema.drift.uniqueness import stays_unique
from twd_shared.schema_model.models import Constraint, ForeignKey, Index, Key, Table
from twd_shared.schema_model.secrets import constraint_without_secrets, index_without_secrets

_Inner = Key | ForeignKey | Constraint | Index
_Item = TypeVar("_Item", bound=_Inner)


class _Kind(NamedTuple):
    rule: str
    word: str
    """With a small letter, as it stands in a sentence."""


_PRIMARY = _Kind("primary_key", "primary key")
_UNIQUE = _Kind("unique_constraint", "unique constraint")
_FOREIGN = _Kind("foreign_key", "foreign key")
_CONSTRAINT = _Kind("constraint", "constraint")
_INDEX = _Kind("index", "index")


def key_changes(old: Table, new: Table, dialect: str) -> Iterator[Change]:
    """What changed of keys, constraints, indexes and their comments; `old` is in new names."""
    for kind, before, after in (
        (_PRIMARY, _primary(old), _primary(new)),
        (_UNIQUE, old.unique_constraints, new.unique_constraints),
        (_FOREIGN, old.foreign_keys, new.foreign_keys),
        (_CONSTRAINT, old.constraints, new.constraints),
        (_INDEX, old.indexes, new.indexes),
    ):
        if before != after:
            yield from _compared(new, kind, before, after, dialect)


def described(item: _Inner) -> str:
    """What a constraint or index is, without its name: unique (a, b)."""
    return f"unique {_indexed(item)}" if _is_unique_index(item) else _indexed(item)


def _is_unique_index(item: _Inner) -> bool:
    return isinstance(item, Index) and item.unique


def _indexed(item: _Inner) -> str:
    """As `described`, but that an index is unique is not said."""
    if isinstance(item, Constraint):
        return item.definition
    columns = f"({', '.join(item.columns)})"
    if isinstance(item, Index):
        return f"{columns} where {item.predicate}" if item.predicate else columns
    if item.definition:
        return item.definition
    if isinstance(item, ForeignKey):
        there = f"{item.referenced_schema}.{item.referenced_table}"
        actions = [
            f" on {event} {action.lower()}"
            for event, action in (("update", item.on_update), ("delete", item.on_delete))
            if action != "NO ACTION"
        ]
        waits = " deferrable" if item.deferrable else ""
        late = " initially deferred" if item.initially_deferred else ""
        target = f"{there} ({', '.join(item.referenced_columns)})"
        return f"{columns} references {target}{''.join(actions)}{waits}{late}"
    return columns


def _primary(table: Table) -> tuple[Key, ...]:
    return (table.primary_key,) if table.primary_key else ()


def _compared(
    table: Table,
    kind: _Kind,
    old: Collection[_Inner],
    new: Collection[_Inner],
    dialect: str,
) -> Iterator[Change]:
    pairs, gone, come = matched(old, new)
    for one, other in pairs:
        yield from _pair(table, kind, one, other, dialect)
    if kind is _PRIMARY and gone and come:
        # There is only one.
        yield from _pair(table, kind, gone.pop(), come.pop(), dialect)
    for item in gone:
        rule = f"{kind.rule}_removed"
        if isinstance(item, Index) and item.unique and not stays_unique(item, table):
            rule = "unique_index_removed"
        told = _without_secrets(item, dialect)
        yield _change(table, rule, kind, told, "was removed", before=described(told))
    for item in come:
        told = _without_secrets(item, dialect)
        yield _change(table, f"{kind.rule}_added", kind, told, "was added", after=described(told))


def _pair(table: Table, kind: _Kind, old: _Inner, new: _Inner, dialect: str) -> Iterator[Change]:
    if not _alike(old, new):
        was, now = (_without_secrets(item, dialect) for item in (old, new))
        before, after = described(was), described(now)
        if before == after:
            before, after = was.definition or before, now.definition or after
        rule = f"{kind.rule}_changed"
        if isinstance(old, Index) and old.unique and not stays_unique(old, table):
            rule = "unique_index_removed"
        what = f"changed{from_to(before, after)}"
        yield _change(table, rule, kind, new, what, before=before, after=after)
    if old.name != new.name and old.name and new.name:
        rule = "index_renamed" if kind is _INDEX else "constraint_renamed"
        sentence = f"The {kind.word} {old.name} on {table.label} was renamed to {new.name}."
        yield of_table(table, rule, sentence, new.name, old.name, new.name)
    if old.comment != new.comment:
        comments = told_comments(old.comment, new.comment)
        where = f"{kind.word} {new.name} on {table.label}"
        sentence = f"The comment on the {where} changed{from_to(*comments)}."
        yield of_table(table, "constraint_comment_changed", sentence, new.name or "", *comments)


def _without_secrets(item: _Inner, dialect: str) -> _Inner:
    if isinstance(item, Constraint):
        return constraint_without_secrets(item, dialect)
    return index_without_secrets(item, dialect) if isinstance(item, Index) else item


def matched(
    old: Collection[_Item], new: Collection[_Item]
) -> tuple[list[tuple[_Item, _Item]], list[_Item], list[_Item]]:
    """Those with the same name, else those that are alike; then what is gone and what has come."""
    waiting = list(new)
    pairs: list[tuple[_Item, _Item]] = []
    gone: list[_Item] = []

    def take(one: _Item, fits: Callable[[_Inner, _Inner], bool]) -> bool:
        for place, other in enumerate(waiting):
            if fits(one, other):
                pairs.append((one, waiting.pop(place)))
                return True
        return False

    for item in old:
        if not take(item, _same_name):
            gone.append(item)
    gone = [item for item in gone if not take(item, _alike)]
    return pairs, gone, waiting


def _same_name(one: _Inner, other: _Inner) -> bool:
    # Some dialects have constraints without a name.
    return one.name is not None and one.name == other.name


def _alike(one: _Inner, other: _Inner) -> bool:
    """Whether they are the same but for their names and comments."""
    if isinstance(one, Index) and isinstance(other, Index):
        pairs = NamePairs({(one.name, other.name)})
        if follows(one.definition, other.definition, pairs):
            one = msgspec.structs.replace(one, definition=other.definition)
    return _bare(one) == _bare(other)


def _bare(item: _Inner) -> _Inner:
    return msgspec.structs.replace(item, name="", comment=None)


def _change(
    table: Table,
    rule: str,
    kind: _Kind,
    item: _Inner,
    what: str,
    before: str = "",
    after: str = "",
) -> Change:
    name = f" {item.name}" if item.name else ""
    word = f"unique {kind.word}" if _is_unique_index(item) else kind.word
    told = "" if before and after else f": {_indexed(item)}"
    sentence = f"The {word}{name} on {table.label} {what}{told}."
    return of_table(table, rule, sentence, item.name or "", before, after)
