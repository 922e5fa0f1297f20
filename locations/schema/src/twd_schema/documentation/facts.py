"""What the rest of a snapshot tells of a table: who refers to it, and what its types' labels are.

Pure functions. Keys that only the partitions of a table declare count as the table's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from twd_shared.schema_model.ddl import quote_name
from twd_shared.schema_model.models import ForeignKey, Snapshot, Table
from twd_shared.store.descriptions import TableName

# A view may read a partition of a table by itself.
_RELATIONS = ("table", "partition")

Told = Mapping[TableName, Mapping[str, str]]
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

    `keys` are its foreign keys and those that only its partitions declare; `labels` are by a
    column's type, `categories` and `descriptions` by a column's name.
    """

    keys: tuple[ForeignKey, ...] = ()
    incoming: Sequence[Reference] = ()
    reads: tuple[TableName, ...] = ()
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    descriptions: Mapping[str, str] = field(default_factory=dict[str, str])

    def values_of(self, column: str, type_: str) -> Sequence[str]:
        """The few values that a column may have, or () if they are not known."""
        return self.labels.get(type_) or self.categories.get(column, ())


def facts_of(
    snapshot: Snapshot, descriptions: Told, categories: Categories | None = None
) -> dict[TableName, TableFacts]:
    """The facts of each table of the snapshot, by (schema, table).

    Where a table has `categories` given here, they are told and not those of the snapshot.
    """
    parents = _parents(snapshot.partitions)
    keys = _keys(snapshot, parents)
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
            incoming=incoming[name],
            reads=_reads(table, parents),
            labels=labels,
            categories=values.get(name, {}),
            descriptions=descriptions.get(name, {}),
        )
        for name, table in tables.items()
    }


def _parents(partitions: Iterable[Table]) -> dict[TableName, TableName]:
    """The table that people ask, by partition; partitions of partitions are led to the top."""
    above = {
        (item.schema, item.name): (item.partition_of.schema, item.partition_of.table)
        for item in partitions
        if item.partition_of
    }

    def top(name: TableName) -> TableName:
        while name in above:
            name = above[name]
        return name

    return {name: top(name) for name in above}


def _keys(
    snapshot: Snapshot, parents: Mapping[TableName, TableName]
) -> dict[TableName, tuple[ForeignKey, ...]]:
    found = {(table.schema, table.name): list(table.foreign_keys) for table in snapshot.tables}
    declared = {name: {_reference(key, parents) for key in keys} for name, keys in found.items()}
    for partition in snapshot.partitions:
        parent = parents.get((partition.schema, partition.name))
        if parent not in found:
            continue
        for key in partition.foreign_keys:
            reference = _reference(key, parents)
            if reference not in declared[parent]:
                declared[parent].add(reference)
                found[parent].append(key)
    return {name: tuple(_led_up(key, parents) for key in keys) for name, keys in found.items()}


def _reference(key: ForeignKey, parents: Mapping[TableName, TableName]) -> tuple[object, ...]:
    target = (key.referenced_schema, key.referenced_table)
    return (key.columns, parents.get(target, target), key.referenced_columns)


def _led_up(key: ForeignKey, parents: Mapping[TableName, TableName]) -> ForeignKey:
    target = parents.get((key.referenced_schema, key.referenced_table))
    if target is None:
        return key
    return ForeignKey(
        name=key.name,
        columns=key.columns,
        referenced_schema=target[0],
        referenced_table=target[1],
        referenced_columns=key.referenced_columns,
    )


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
    if table.kind not in ("view", "materialized_view"):
        return ()
    read = [(schema, name) for kind, schema, name in table.depends_on if kind in _RELATIONS]
    return tuple(sorted({parents.get(name, name) for name in read}))


def _labels(snapshot: Snapshot) -> dict[str, Sequence[str]]:
    """Labels of enums by the type as columns spell it; of domains and arrays over them too."""
    labels: dict[str, Sequence[str]] = {
        _type_name(enum.schema, enum.name): enum.labels for enum in snapshot.enums if enum.labels
    }
    # A domain may stand on another one.
    waiting = list(snapshot.domains)
    for _ in snapshot.domains:
        found = [domain for domain in waiting if domain.type in labels]
        if not found:
            break
        labels |= {_type_name(item.schema, item.name): labels[item.type] for item in found}
        waiting = [domain for domain in waiting if domain not in found]
    return labels | {f"{name}[]": values for name, values in labels.items()}


def _type_name(schema: str, name: str) -> str:
    return f"{quote_name(schema)}.{quote_name(name)}"
