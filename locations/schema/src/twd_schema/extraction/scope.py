"""Which part of a snapshot a connection wants: a pure function, the same for every dialect."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import msgspec

from twd_shared.clients.extraction_options import (
    ExtractionOptions,
    TablePattern,
    table_pattern,
)
from twd_shared.schema_model.fingerprint import key_of
from twd_shared.schema_model.identities import identities_within
from twd_shared.schema_model.keys import partitioned_by, upwards
from twd_shared.schema_model.models import Snapshot, Table


def scoped(
    snapshot: Snapshot,
    options: ExtractionOptions,
    left_out: Collection[tuple[str, str]] = (),
) -> Snapshot:
    """The snapshot without what the options leave out.

    With a table go its partitions, its statistics and the sequences that it owns. Types,
    collations, routines and extensions stay, since what is kept may need them; a reference to a
    table that was left out stays as the fact that it is. A schema stays with what stands in it, or
    if the options name none and do not leave it out as a whole.

    A folded partition follows its parent; listed, it is a table that is chosen by its own name, and
    so is a folded one whose parent is an extension's and was not read. Of one that goes only
    because its parent does, the id stays: it tells a table that was attached from one that is gone.

    `left_out` are tables, as (schema, name), that go as well.
    """
    if options == ExtractionOptions(samples=options.samples) and not left_out:
        return snapshot
    include = [table_pattern(text) for text in options.include]
    exclude = [table_pattern(text) for text in options.exclude]

    def is_chosen(table: Table) -> bool:
        if _key(table) in left_out:
            return False
        return (not include or _any_matches(include, table)) and not _any_matches(exclude, table)

    if options.partitions == "listed":
        # Without its bound, or it would be kept as a partition and folded again.
        alone = (msgspec.structs.replace(item, partition_of=None) for item in snapshot.partitions)
        tables = tuple(sorted(filter(is_chosen, (*snapshot.tables, *alone)), key=_key))
        partitions: tuple[Table, ...] = ()
    else:
        tables = tuple(filter(is_chosen, snapshot.tables))
        partitions = _folded(snapshot, tables, is_chosen, exclude)
    kept = {_key(table) for table in (*tables, *partitions)}
    known = {_key(table) for table in snapshot.relations}
    dropped = known - kept
    changed = msgspec.structs.replace(
        snapshot,
        tables=tables,
        partitions=partitions,
        sequences=tuple(
            sequence
            for sequence in snapshot.sequences
            if sequence.owner is None
            or (sequence.owner.schema, sequence.owner.table) not in dropped
        ),
        statistics=tuple(
            item for item in snapshot.statistics if (item.schema, item.table) not in dropped
        ),
        namespaces=(),
    )
    inhabited = {item.schema for item in changed.objects}
    whole = msgspec.structs.replace(
        changed,
        namespaces=tuple(
            namespace
            for namespace in snapshot.namespaces
            if namespace.name in inhabited
            or (not include and not _leaves_out_schema(exclude, namespace.name))
        ),
    )
    if not include and not exclude and options.partitions != "listed":
        return whole
    keys = {key_of(item) for item in whole.objects}
    if options.partitions == "folded":
        keys |= {key_of(item) for item in snapshot.partitions if is_chosen(item)}
    return msgspec.structs.replace(whole, identities=identities_within(snapshot.identities, keys))


def _folded(
    snapshot: Snapshot,
    tables: Iterable[Table],
    is_chosen: Callable[[Table], bool],
    exclude: Iterable[TablePattern],
) -> tuple[Table, ...]:
    """The partitions of these tables, at any depth, that no pattern leaves out."""
    partition_at = {_key(item): item for item in snapshot.partitions}
    above = partitioned_by(snapshot.partitions)
    read = {_key(table) for table in snapshot.tables}
    kept = {_key(table) for table in tables}

    def stays(item: Table) -> bool:
        line = [partition_at[key] for key in upwards(_key(item), above) if key in partition_at]
        if any(_any_matches(exclude, one) for one in line):
            return False
        parent = above[_key(line[-1])]
        return parent in kept if parent in read else is_chosen(line[-1])

    return tuple(filter(stays, snapshot.partitions))


def _any_matches(patterns: Iterable[TablePattern], table: Table) -> bool:
    return any(pattern.matches(table.schema, table.name) for pattern in patterns)


def _leaves_out_schema(exclude: Iterable[TablePattern], name: str) -> bool:
    return any(pattern.is_whole_schema and pattern.schema.match(name) for pattern in exclude)


def _key(table: Table) -> tuple[str, str]:
    return (table.schema, table.name)
