"""What the rest of a snapshot tells of a table: who refers to it, and what its types' labels are.

Pure functions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from twd_shared.schema_model.base_types import enums_by_type
from twd_shared.schema_model.keys import TableName, keys_of_tables, parents_of_partitions
from twd_shared.schema_model.models import RELATION_KINDS, ForeignKey, Snapshot, Table

Descriptions = Mapping[TableName, Mapping[str, str]]
"""Descriptions by table and column; '' = the table itself."""

Categories = Mapping[TableName, Mapping[str, Sequence[str]]]
"""The few values of columns, by table and column."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of another table, `source`, that points here."""

    source: Table
    key: ForeignKey


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What is told of a table beside the table itself.

    `keys` are its foreign keys and those that only its partitions declare, `missing` the tables
    that they refer to and the snapshot does not have; `labels` are by a column's type, `categories`
    and `descriptions` by a column's name.
    """

    keys: tuple[ForeignKey, ...] = ()
    missing: tuple[TableName, ...] = ()
    incoming: Sequence[Reference] = ()
    reads: tuple[TableName, ...] = ()
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    descriptions: Mapping[str, str] = field(default_factory=dict[str, str])

    def values_of(self, column: str, type_: str) -> Sequence[str]:
        """The few values that a column may have, or () if they are not known."""
        return self.labels.get(type_) or self.categories.get(column, ())

    def as_json(self, table: Table) -> str:
        """All of it that concerns `table`, which they are of: equal facts give equal text."""
        told = {
            "keys": self.keys,
            "missing": self.missing,
            "incoming": [(one.source.schema, one.source.name, one.key) for one in self.incoming],
            "reads": self.reads,
            "labels": {
                column.type: self.labels[column.type]
                for column in table.columns
                if column.type in self.labels
            },
            "categories": self.categories,
            "descriptions": self.descriptions,
        }
        return msgspec.json.encode(told, order="deterministic").decode()


def facts_of(
    snapshot: Snapshot, descriptions: Descriptions, categories: Categories | None = None
) -> dict[TableName, TableFacts]:
    """The facts of each table of the snapshot, by (schema, table).

    Where a table has `categories` given here, they are told and not those of the snapshot.
    """
    parents = parents_of_partitions(snapshot)
    keys = keys_of_tables(snapshot)
    tables = {(table.schema, table.name): table for table in snapshot.tables}
    incoming = _incoming(tables, keys)
    labels = _labels(snapshot)
    values: dict[TableName, Mapping[str, Sequence[str]]] = {
        (item.schema, item.table): item.categories for item in snapshot.statistics
    }
    values |= categories or {}
    return {
        name: TableFacts(
            keys=keys[name],
            missing=_missing(tables, keys[name]),
            incoming=incoming[name],
            reads=_reads(table, parents),
            labels=labels,
            categories=values.get(name, {}),
            descriptions=descriptions.get(name, {}),
        )
        for name, table in tables.items()
    }


def _missing(
    tables: Mapping[TableName, Table], keys: Iterable[ForeignKey]
) -> tuple[TableName, ...]:
    named = {(key.referenced_schema, key.referenced_table) for key in keys}
    # Not by a difference with `keys()`, which goes through all the tables.
    return tuple(sorted(name for name in named if name not in tables))


def _incoming(
    tables: Mapping[TableName, Table], keys: Mapping[TableName, Iterable[ForeignKey]]
) -> defaultdict[TableName, list[Reference]]:
    incoming: defaultdict[TableName, list[Reference]] = defaultdict(list)
    for name in sorted(tables):
        for key in keys[name]:
            target = (key.referenced_schema, key.referenced_table)
            if target != name:
                incoming[target].append(Reference(tables[name], key))
    for references in incoming.values():
        references.sort(key=lambda one: (one.source.schema, one.source.name, one.key.columns))
    return incoming


def _reads(table: Table, parents: Mapping[TableName, TableName]) -> tuple[TableName, ...]:
    if not table.is_view:
        return ()
    # It may read a partition of a table by itself.
    read = [(schema, name) for kind, schema, name in table.depends_on if kind in RELATION_KINDS]
    return tuple(sorted({parents.get(name, name) for name in read}))


def _labels(snapshot: Snapshot) -> dict[str, Sequence[str]]:
    """Labels of enums by the type as columns spell it; of domains and arrays over them too."""
    labels: dict[str, Sequence[str]] = {
        name: enum.labels for name, enum in enums_by_type(snapshot).items() if enum.labels
    }
    return labels | {f"{name}[]": values for name, values in labels.items()}
