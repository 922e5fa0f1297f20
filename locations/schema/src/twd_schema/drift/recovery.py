"""Deciding whether what a breaking change broke is back: from a change and a snapshot, purely."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from twd_schema.drift.changes import Change
from twd_schema.drift.column_types import serves_as, type_of
from twd_schema.drift.spelling import folding_of_columns, folding_of_tables
from twd_shared.schema_model.models import Column, ObjectKind, Snapshot, Table, kind_of

_KINDS = ("table", "enum", "domain", "composite", "range")
_OBJECT_REMOVED = frozenset(f"{kind}_removed" for kind in _KINDS)
_OBJECT_RENAMED = frozenset(f"{kind}_renamed" for kind in _KINDS)


class _Named(Protocol):
    @property
    def schema(self) -> str: ...
    @property
    def name(self) -> str: ...


class Present:
    """What a snapshot holds, by its label: a large one is asked about many changes.

    A table or column is found by what its database takes for its name.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Look at the snapshot once."""
        self._fold = folding_of_tables(snapshot.dialect)
        self._fold_column = folding_of_columns(snapshot.dialect)
        self._objects = {(kind_of(item), self._fold(_label(item))) for item in snapshot.objects}
        self._enums = {_label(item): frozenset(item.labels) for item in snapshot.enums}
        self._attributes = {_label(item): item.attributes for item in snapshot.composites}
        self._tables: dict[str, list[Table]] = {}
        for table in snapshot.relations:
            self._tables.setdefault(self._fold(table.label), []).append(table)

    def has(self, kind: ObjectKind, label: str) -> bool:
        """Whether there is an object of that kind and label."""
        return (kind, self._fold(label)) in self._objects

    def labels(self, enum: str) -> frozenset[str]:
        """The labels of the enum, none if it is not there."""
        return self._enums.get(enum, frozenset())

    def attributes(self, composite: str, name: str) -> list[Column]:
        """The attribute of that name of the composite type, if both are there."""
        return [item for item in self._attributes.get(composite, ()) if item.name == name]

    def tables(self, label: str) -> list[Table]:
        """The tables and partitions of that label."""
        return self._tables.get(self._fold(label), [])

    def columns(self, tables: Iterable[str], name: str) -> list[Column]:
        """The columns of that name in the tables with these labels."""
        found = (table for label in tables for table in self.tables(label))
        wanted = self._fold_column(name)
        return [
            column
            for table in found
            for column in table.columns
            if self._fold_column(column.name) == wanted
        ]

    def has_table_with(self, label: str, columns: Iterable[tuple[str, str]]) -> bool:
        """Whether a table of that label has these columns, each a name and a type that serves."""
        wanted = {self._fold_column(name): type_ for name, type_ in columns}
        return any(
            wanted.keys() <= types.keys()
            and all(serves_as(type_, types[name]) for name, type_ in wanted.items())
            for table in self.tables(label)
            for types in [{self._fold_column(one.name): type_of(one) for one in table.columns}]
        )


class TableNames:
    """All that tables were or are called by some renames, as schema.table."""

    def __init__(self, renames: Iterable[Change]) -> None:
        """The renames may stand in any order."""
        self._names: dict[str, set[str]] = {}
        for rename in renames:
            one, other = (self._names.get(name, {name}) for name in (rename.before, rename.after))
            together = one | other
            self._names.update(dict.fromkeys(together, together))

    def of(self, change: Change) -> Collection[str]:
        """All that the change's table was or is called."""
        label = change.label
        return self._names.get(label, {label})


def is_undone(change: Change, present: Present, names: Collection[str] = ()) -> bool:
    """Whether SQL that the change broke finds again what it names.

    `names` are what the change's table is called besides its name in the change, as schema.table.
    A rule that cannot be judged is never undone.
    """
    label = change.label
    tables = {label, *names}
    match change.rule:
        case "column_removed":
            found = present.columns(tables, change.member)
            return any(
                not change.before or serves_as(change.before, type_of(column)) for column in found
            )
        case "column_renamed":
            return bool(present.columns(tables, change.before))
        case "column_type_changed":
            # Equal types are of a change of something else, which the type does not tell.
            told = change.before not in ("", change.after)
            found = present.columns(tables, change.member)
            return told and any(serves_as(change.before, type_of(column)) for column in found)
        case "view_unreadable":
            return any(table.columns for name in tables for table in present.tables(name))
        case "composite_attribute_removed" | "composite_attribute_type_changed":
            found = present.attributes(label, change.member)
            return any(serves_as(change.before, type_of(item)) for item in found)
        case "enum_label_removed":
            return change.member in present.labels(label)
        case "enum_label_renamed":
            return change.before in present.labels(label)
        case "table_removed":
            # Another table of that name does not help SQL that reads these columns.
            return present.has_table_with(label, change.columns)
        case "table_renamed" if change.columns:
            # Its old name is there already, and means a table without them.
            return present.has_table_with(change.before, change.columns)
        case rule if rule in _OBJECT_REMOVED:
            return present.has(change.object_kind, label)
        case rule if rule in _OBJECT_RENAMED:
            return present.has(change.object_kind, change.before)
        case _:
            return False


def is_return(change: Change, told: Change, names: TableNames) -> bool:
    """Whether a change only brings back the name or type that `told` took away.

    Such a change is breaking by its rule, for what was adapted meanwhile: it is told as the
    recovery that it is.
    """
    return (
        change.rule == told.rule
        and told.before != ""
        and _is_as_before(change, told)
        and change.member in (told.member, told.before)
        and (change.rule in _OBJECT_RENAMED or change.label in names.of(told))
    )


def is_next_type(change: Change, told: Change, names: TableNames) -> bool:
    """Whether a change went on from the type that `told` led to: it ends when `told` does."""
    return (
        change.rule == told.rule == "column_type_changed"
        and change.member == told.member
        and serves_as(told.after, change.before)
        and change.label in names.of(told)
    )


def _is_as_before(change: Change, told: Change) -> bool:
    if change.rule == "column_type_changed":
        return serves_as(told.before, change.after)
    return change.after == told.before


def _label(named: _Named) -> str:
    return f"{named.schema}.{named.name}"
