"""Deciding whether what a breaking change broke is back: from a change and a snapshot, purely."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from twd_schema.drift.changes import Change
from twd_schema.drift.tables import type_of
from twd_shared.schema_model.models import Column, ObjectKind, Snapshot, Table, kind_of

_KINDS = ("table", "enum", "domain", "composite", "range")
_OBJECT_REMOVED = frozenset(f"{kind}_removed" for kind in _KINDS)
_OBJECT_RENAMED = frozenset(f"{kind}_renamed" for kind in _KINDS)


def is_undone(change: Change, snapshot: Snapshot, names: Collection[str] = ()) -> bool:
    """Whether SQL that the change broke finds again what it names.

    `names` are what the change's table is called besides its name in the change, as schema.table.
    A rule that cannot be judged is never undone.
    """
    label = _label(change)
    columns = _Columns(snapshot, {label, *names})
    match change.rule:
        case "column_removed":
            found = columns.of(change.member)
            return any(change.before in ("", type_of(column)) for column in found)
        case "column_renamed":
            return bool(columns.of(change.before))
        case "column_type_changed":
            # Equal types are of a change of something else, which the type does not tell.
            told = change.before not in ("", change.after)
            return told and any(
                type_of(item) == change.before for item in columns.of(change.member)
            )
        case "enum_label_removed":
            return change.member in _labels(snapshot, label)
        case "enum_label_renamed":
            return change.before in _labels(snapshot, label)
        case "table_removed":
            # Another table of that name does not help SQL that reads these columns.
            return any(
                table.label == label and set(change.columns) <= _typed(table)
                for table in (*snapshot.tables, *snapshot.partitions)
            )
        case rule if rule in _OBJECT_REMOVED:
            return _has(snapshot, change.object_kind, label)
        case rule if rule in _OBJECT_RENAMED:
            return _has(snapshot, change.object_kind, change.before)
        case _:
            return False


def is_replaced(change: Change, snapshot: Snapshot) -> bool:
    """Whether something with the same columns, or type, had taken the name of what was removed.

    `snapshot` is of the version that brought the change.
    """
    return change.rule in ("table_removed", "column_removed") and is_undone(change, snapshot)


def is_return(change: Change, told: Change, names: Collection[str]) -> bool:
    """Whether a change only brings back the name or type that `told` took away.

    `names` are all that the table of `told` is called, as schema.table. Such a change is breaking
    by its rule, for what was adapted meanwhile: it is told as the recovery that it is.
    """
    same = change.rule in _OBJECT_RENAMED or _label(change) in names
    return (
        same
        and change.rule == told.rule
        and change.after == told.before != ""
        and change.member in (told.member, told.before)
    )


def is_next_type(change: Change, told: Change, names: Collection[str]) -> bool:
    """Whether a change went on from the type that `told` led to: it ends when `told` does.

    `names` are all that the table of `told` is called, as schema.table.
    """
    return (
        change.rule == told.rule == "column_type_changed"
        and _label(change) in names
        and change.member == told.member
        and change.before == told.after
    )


def names_of(change: Change, table_renames: Iterable[Change]) -> frozenset[str]:
    """All that the change's table was or is called by these renames, as schema.table."""
    names = {_label(change)}
    pairs = [{rename.before, rename.after} for rename in table_renames]
    # A chain of renames may stand in any order.
    for _ in pairs:
        for pair in pairs:
            if names & pair:
                names |= pair
    return frozenset(names)


class _Columns:
    """The columns of the tables that have one of these names."""

    def __init__(self, snapshot: Snapshot, names: Collection[str]) -> None:
        tables = (*snapshot.tables, *snapshot.partitions)
        self._tables = [table for table in tables if table.label in names]

    def of(self, name: str) -> list[Column]:
        return [item for table in self._tables for item in table.columns if item.name == name]


def _typed(table: Table) -> set[tuple[str, str]]:
    return {(column.name, type_of(column)) for column in table.columns}


def _label(change: Change) -> str:
    return f"{change.schema}.{change.name}"


def _has(snapshot: Snapshot, kind: ObjectKind, label: str) -> bool:
    return any(
        kind_of(item) == kind and f"{item.schema}.{item.name}" == label for item in snapshot.objects
    )


def _labels(snapshot: Snapshot, enum: str) -> frozenset[str]:
    return frozenset(
        label
        for item in snapshot.enums
        if f"{item.schema}.{item.name}" == enum
        for label in item.labels
    )
