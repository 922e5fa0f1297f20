"""Foreign keys between the tables that people ask, with partitions folded into their parents.

Pure functions. A key that only partitions of a table declare counts as the table's own, and one
that refers to a partition is led up to the table that is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from twd_shared.schema_model.models import ForeignKey, Snapshot, Table

_Name = TypeVar("_Name")

TableName = tuple[str, str]
"""(schema, name) of a table."""


def upwards(name: _Name, above: Mapping[_Name, _Name]) -> list[_Name]:
    """`name` and what is above it, up to the top.

    In a damaged catalog, parents may lead in a circle: it ends before the first one comes again.
    """
    found = {name: None}
    while (parent := above.get(name)) is not None and parent not in found:
        found[name := parent] = None
    return list(found)


def partitioned_by(tables: Iterable[Table]) -> dict[TableName, TableName]:
    """The table or partition that each of the tables which are partitions is a part of."""
    return {
        (item.schema, item.name): (item.partition_of.schema, item.partition_of.table)
        for item in tables
        if item.partition_of
    }


def parents_of_partitions(snapshot: Snapshot) -> dict[TableName, TableName]:
    """The table that people ask, by partition; partitions of partitions are led to the top."""
    above = partitioned_by(snapshot.partitions)
    return {name: upwards(name, above)[-1] for name in above}


def keys_of_tables(snapshot: Snapshot) -> dict[TableName, tuple[ForeignKey, ...]]:
    """The foreign keys of each table of the snapshot: its own, then those of its partitions."""
    parents = parents_of_partitions(snapshot)
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
