"""Differences of all that is no table: types, sequences, routines, partitions, schemas."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

import msgspec

from twd_schema.drift.changes import Change
from twd_schema.drift.composites import attribute_changes
from twd_schema.drift.excerpts import from_to, told_comments, told_sql
from twd_schema.drift.formalities import formal_changes
from twd_schema.drift.telling import joined, of_object
from twd_shared.schema_model.models import (
    ColumnReference,
    CompositeType,
    DomainType,
    EnumType,
    ObjectKey,
    Routine,
    SchemaObject,
    Sequence,
    Table,
)

Objects = Mapping[ObjectKey, SchemaObject]

# What people call a field, where its own name would not do.
_WORDS = {
    "cache": "cache size",
    "ctype": "LC_CTYPE",
    "cycle": "cycle option",
    "depends_on": "dependencies",
    "deterministic": "determinism",
    "identity": "identity column",
    "inherits": "parents",
    "nullable": "nullability",
    "start": "start value",
    "unlogged": "logging",
}

# A routine is read as long as something that is read needs it.
_GONE = {"routine": "was removed, or nothing that is read needs it any more"}
_COME = {"routine": "was added, or something that is read needs it now"}


def object_changes(old: Objects, new: Objects, dialect: str) -> Iterator[Change]:
    """What came, went or changed, sorted by key; `old` are all objects said in new names."""
    differing = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    differing = [key for key in differing if key[0] != "table"]
    if not differing:
        return
    old_columns, new_columns = _column_references(old), _column_references(new)
    old_identities, new_identities = _identity_columns(old), _identity_columns(new)
    for key in differing:
        if is_attached(key, old, new):
            yield of_object(key, "attached", "was attached: it had been a table of its own")
        elif is_attached(key, new, old):
            yield of_object(key, "detached", "was detached: it is a table of its own now")
        elif key not in new:
            if not _told_by_column(old[key], new_columns, new_identities):
                yield of_object(key, "removed", _GONE.get(key[0], "was removed"))
        elif key not in old:
            if not _told_by_column(new[key], old_columns, old_identities):
                yield of_object(key, "added", _COME.get(key[0], "was added"))
        else:
            one, other = old[key], new[key]
            if isinstance(one, EnumType) and isinstance(other, EnumType):
                yield from _enum(key, one, other)
            elif not _moved_with_column(one, other, new_columns):
                yield from _object(key, one, other, dialect)


def is_attached(partition: ObjectKey, old: Objects, new: Objects) -> bool:
    """Whether what has this key as a partition was a table of its own under the same name."""
    table = ("table", *partition[1:])
    there = (table in old, table in new, partition in old, partition in new)
    return partition[0] == "partition" and there == (True, False, False, True)


def _object(key: ObjectKey, old: SchemaObject, new: SchemaObject, dialect: str) -> Iterator[Change]:
    changes, old = formal_changes(key, old, new)
    if isinstance(old, CompositeType) and isinstance(new, CompositeType):
        attributes = [*attribute_changes(key, old, new)]
        changes += attributes
        # What it depends on follows from them.
        old = new if attributes else old
    if isinstance(old, DomainType) and isinstance(new, DomainType):
        changes += _constraints(key, old, new, dialect)
        old = msgspec.structs.replace(old, constraints=new.constraints)
    if isinstance(old, Table) and isinstance(new, Table) and old.partition_of != new.partition_of:
        # What reads the one parent finds fewer rows, what reads the other more.
        was, now = told_sql(_place(old), _place(new), dialect)
        changes.append(of_object(key, "moved", f"was moved{from_to(was, now)}", "", was, now))
        old = msgspec.structs.replace(old, partition_of=new.partition_of)
    if isinstance(old, Routine) and isinstance(new, Routine) and old.definition != new.definition:
        told = told_sql(old.definition, new.definition, dialect)
        # In a body of another language texts stand in double quotes, and comments behind #.
        what = f"changed its definition{from_to(*told_comments(*told))}"
        changes.append(of_object(key, "changed", what))
        old = msgspec.structs.replace(old, definition=new.definition, depends_on=new.depends_on)
    yield from changes
    if old != new:
        yield of_object(key, "changed", f"changed its {joined(_fields(old, new))}")


def _constraints(
    key: ObjectKey, old: DomainType, new: DomainType, dialect: str
) -> Iterator[Change]:
    before = {item.name: item.definition for item in old.constraints}
    after = {item.name: item.definition for item in new.constraints}
    names = [*before, *(name for name in after if name not in before)]
    for name in names:
        if before.get(name) == after.get(name):
            continue
        was, now = told_sql(before.get(name), after.get(name), dialect)
        if name not in after:
            what = f"lost its constraint {name}: {was}"
        elif name not in before:
            what = f"gained a constraint {name}: {now}"
        else:
            what = f"changed its constraint {name}{from_to(was, now)}"
        yield of_object(key, "changed", what, "", was, now)


def _place(partition: Table) -> str:
    """The parent of a partition, and which of its rows it takes."""
    place = partition.partition_of
    return f"{place.schema}.{place.table} {place.bound}" if place else ""


def _fields(old: SchemaObject, new: SchemaObject) -> list[str]:
    """Names of the fields that differ, for people."""
    return [
        _WORDS.get(name, name.replace("_", " "))
        for name in old.__struct_fields__
        if getattr(old, name) != getattr(new, name)
    ]


def _told_by_column(
    item: SchemaObject,
    columns: Container[ColumnReference],
    identities: Container[ColumnReference],
) -> bool:
    """Whether a sequence came or went with its column, or with that column's identity.

    `columns` are those of the other side, `identities` the ones there that are fed by a sequence.
    """
    if not isinstance(item, Sequence) or item.owner is None:
        return False
    return item.owner not in columns or (item.identity and item.owner not in identities)


def _moved_with_column(
    one: SchemaObject, other: SchemaObject, after: Container[ColumnReference]
) -> bool:
    """Whether of a sequence only the name of its owner changed, which the table's name tells."""
    if not isinstance(one, Sequence) or not isinstance(other, Sequence) or one.owner is None:
        return False
    return msgspec.structs.replace(one, owner=other.owner) == other and one.owner not in after


def _column_references(objects: Objects) -> set[ColumnReference]:
    """Every column of the objects, as a sequence names the one that owns it."""
    return {
        ColumnReference(schema=table.schema, table=table.name, column=column.name)
        for table in objects.values()
        if isinstance(table, Table)
        for column in table.columns
    }


def _identity_columns(objects: Objects) -> set[ColumnReference]:
    return {
        item.owner
        for item in objects.values()
        if isinstance(item, Sequence) and item.identity and item.owner
    }


def _enum(key: ObjectKey, old: EnumType, new: EnumType) -> Iterator[Change]:
    held, holds = frozenset(old.labels), frozenset(new.labels)
    for label in old.labels:
        if label not in holds:
            yield of_object(key, "label_removed", f"lost label {label!r}", label, label)
    for label in new.labels:
        if label not in held:
            yield of_object(key, "label_added", f"gained label {label!r}", label, after=label)
    before = [label for label in old.labels if label in holds]
    after = [label for label in new.labels if label in held]
    if before != after:
        texts = ", ".join(before), ", ".join(after)
        what = f"has its labels in another order: {texts[1]}"
        yield of_object(key, "labels_reordered", what, "", *texts)
    if old.comment != new.comment:
        comments = told_comments(old.comment, new.comment)
        yield of_object(key, "changed", f"changed its comment{from_to(*comments)}", "", *comments)
