"""Comparing two snapshots: from two schemas to a tuple of changes."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import Any

import msgspec

from twd_schema.drift.changes import RULES, Change, SchemaDiff
from twd_shared.schema_model.fingerprint import key_of
from twd_shared.schema_model.models import (
    Column,
    ColumnReference,
    EnumType,
    ForeignKey,
    ObjectKey,
    SchemaObject,
    Sequence,
    Snapshot,
    Table,
)
from twd_shared.store.snapshots import SavedSnapshot, SnapshotStore

_WORDS: dict[str, str] = {
    "partition": "Partition",
    "enum": "Enum",
    "domain": "Domain",
    "composite": "Composite type",
    "range": "Range type",
    "sequence": "Sequence",
    "routine": "Routine",
    "extension": "Extension",
    "namespace": "Schema",
}


def diff_snapshots(
    before: Snapshot | None, after: Snapshot, from_version: int, to_version: int
) -> SchemaDiff:
    """What changed from `before` (None = nothing was known) to `after`; equal gives no change."""
    changes = (*_tables(before, after), *_others(before, after))
    return SchemaDiff(from_version=from_version, to_version=to_version, changes=changes)


def changes_since(
    snapshots: SnapshotStore, snapshot: Snapshot, saved: SavedSnapshot
) -> SchemaDiff | None:
    """What a save changed against the version before; None if there was none before."""
    version = saved.version.version
    if saved.previous is None:
        return None
    if saved.previous == version:
        return SchemaDiff(from_version=version, to_version=version)
    before = snapshots.load(saved.version.connection_id, saved.previous)
    return diff_snapshots(before, snapshot, saved.previous, version)


def base_version(held: int | None, told: int | None) -> int:
    """The version to compare with: the older of what the index holds and what was told; 0 = none.

    Usually they are the same. The index is ahead when a run published and could not tell the
    changes, and behind when it told them and could not publish: neither may lose a change.
    """
    return min((version for version in (held, told) if version is not None), default=0)


def _tables(before: Snapshot | None, after: Snapshot) -> Iterator[Change]:
    old = {(table.schema, table.name): table for table in before.tables} if before else {}
    new = {(table.schema, table.name): table for table in after.tables}
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            yield _of_table(old[key], "table_removed", f"Table {old[key].label} was removed.")
        elif key not in old:
            count = len(new[key].columns)
            yield _of_table(
                new[key], "table_added", f"Table {new[key].label} was added with {count} columns."
            )
        elif old[key] != new[key]:
            changes = tuple(_table(old[key], new[key]))
            # Nothing that differs goes untold: it may be what its definition depends on.
            yield from changes or (
                _of_table(
                    new[key],
                    "table_definition_changed",
                    f"What makes {new[key].label} changed.",
                ),
            )


def _table(old: Table, new: Table) -> Iterator[Change]:
    yield from _columns(old, new)
    yield from _foreign_keys(old, new)
    compared: tuple[tuple[str, str, Callable[[Table], Any]], ...] = (
        ("table_kind_changed", "kind", lambda table: table.kind),
        ("table_comment_changed", "comment", lambda table: table.comment),
        ("view_definition_changed", "definition", lambda table: table.definition),
        ("primary_key_changed", "primary key", lambda t: _bare(t.primary_key)),
        ("unique_constraints_changed", "unique constraints", lambda t: _bare(t.unique_constraints)),
        ("constraints_changed", "constraints", lambda table: _bare(table.constraints)),
        ("indexes_changed", "indexes", lambda table: _bare(table.indexes)),
        ("constraint_comment_changed", "comment on a constraint or index", _inner_comments),
        ("partitioning_changed", "partition key", lambda table: table.partition_key),
        ("inheritance_changed", "inheritance", _inheritance),
        ("storage_changed", "storage", lambda t: (t.storage, t.unlogged, t.server, t.options)),
    )
    for rule, what, read in compared:
        if read(old) != read(new):
            yield _of_table(new, rule, f"The {what} of {new.label} changed.")


def _columns(old: Table, new: Table) -> Iterator[Change]:
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    for name in sorted(before.keys() - after.keys()):
        yield _of_column(new, name, "column_removed", f"was removed (it was {before[name].type})")
    for name in sorted(after.keys() - before.keys()):
        yield _of_column(new, name, "column_added", f"was added as {after[name].type}")
    for name in sorted(before.keys() & after.keys()):
        yield from _column(new, before[name], after[name])
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before]:
        yield _of_table(new, "column_order_changed", f"The columns of {new.label} were reordered.")


def _column(table: Table, old: Column, new: Column) -> Iterator[Change]:
    def change(rule: str, sentence: str) -> Change:
        return _of_column(table, new.name, rule, sentence)

    if (old.type, old.collation) != (new.type, new.collation):
        yield change("column_type_changed", f"changed its type from {old.type} to {new.type}")
    if old.nullable != new.nullable:
        now = "may be null now" if new.nullable else "may no longer be null"
        yield change("column_nullability_changed", now)
    if old.default != new.default:
        yield change(
            "column_default_changed",
            f"changed its default from {old.default or 'none'} to {new.default or 'none'}",
        )
    if old.options != new.options:
        yield change("column_options_changed", "changed its options")
    if _generation(old) != _generation(new):
        yield change("column_generation_changed", "changed how its value is generated")
    if old.comment != new.comment:
        yield change("column_comment_changed", "changed its comment")


def _generation(column: Column) -> tuple[str | None, str | None, bool]:
    return column.identity, column.generated, column.virtual


def _foreign_keys(old: Table, new: Table) -> Iterator[Change]:
    before, after = set(_bare(old.foreign_keys)), set(_bare(new.foreign_keys))
    for key in sorted(before - after, key=repr):
        yield _of_table(new, "foreign_key_removed", f"{new.label} no longer {_refers(key)}.")
    for key in sorted(after - before, key=repr):
        yield _of_table(new, "foreign_key_added", f"{new.label} now {_refers(key)}.")


def _refers(key: ForeignKey) -> str:
    target = f"{key.referenced_schema}.{key.referenced_table}"
    return f"refers to {target} through {', '.join(key.columns)}"


def _bare(value: Any) -> Any:
    """Keys, constraints or indexes without their comments."""
    if isinstance(value, tuple):
        return tuple(_bare(item) for item in value)
    return value and msgspec.structs.replace(value, comment=None)


def _inner_comments(table: Table) -> dict[tuple[str, str | None], str]:
    inner = (
        *((table.primary_key,) if table.primary_key else ()),
        *table.unique_constraints,
        *table.constraints,
        *table.foreign_keys,
        *table.indexes,
    )
    return {(type(item).__name__, item.name): item.comment for item in inner if item.comment}


def _inheritance(table: Table) -> Any:
    return table.inherits, {
        column.name for column in table.columns if column.inherited or column.not_null_inherited
    }


def _others(before: Snapshot | None, after: Snapshot) -> Iterator[Change]:
    old, new = _by_key(before), _by_key(after)
    differing = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    if not differing:
        return
    old_columns, new_columns = _column_references(before), _column_references(after)
    for key in differing:
        if key not in new:
            if not _told_by_column(old[key], new_columns):
                yield _of_other(key, "removed", "was removed")
        elif key not in old:
            if not _told_by_column(new[key], old_columns):
                yield _of_other(key, "added", "was added")
        else:
            one, other = old[key], new[key]
            if isinstance(one, EnumType) and isinstance(other, EnumType):
                yield from _enum(key, one, other)
            elif not _moved_with_column(one, other, new_columns):
                yield _of_other(key, "changed", "changed")


def _told_by_column(item: SchemaObject, elsewhere: Container[ColumnReference]) -> bool:
    """Whether a sequence came or went with its column, or is a column's identity."""
    if not isinstance(item, Sequence) or item.owner is None:
        return False
    return item.identity or item.owner not in elsewhere


def _moved_with_column(
    one: SchemaObject, other: SchemaObject, after: Container[ColumnReference]
) -> bool:
    """Whether of a sequence only the name of its owner changed, which the table's name tells."""
    if not isinstance(one, Sequence) or not isinstance(other, Sequence) or one.owner is None:
        return False
    return msgspec.structs.replace(one, owner=other.owner) == other and one.owner not in after


def _column_references(snapshot: Snapshot | None) -> set[ColumnReference]:
    """Every column of the snapshot, as a sequence names the one that owns it."""
    tables = (*snapshot.tables, *snapshot.partitions) if snapshot else ()
    return {
        ColumnReference(schema=table.schema, table=table.name, column=column.name)
        for table in tables
        for column in table.columns
    }


def _enum(key: ObjectKey, old: EnumType, new: EnumType) -> Iterator[Change]:
    lost = [label for label in old.labels if label not in new.labels]
    gained = [label for label in new.labels if label not in old.labels]
    for verb, labels, what in (
        ("label_removed", lost, "lost"),
        ("label_added", gained, "gained"),
    ):
        for label in labels:
            yield _of_other(key, verb, f"{what} label {label!r}")
    if not lost and not gained:
        yield _of_other(key, "changed", "changed")


def _by_key(snapshot: Snapshot | None) -> dict[ObjectKey, SchemaObject]:
    objects = snapshot.objects[len(snapshot.tables) :] if snapshot else ()
    return {key_of(item): item for item in objects}


def _of_table(table: Table, rule: str, sentence: str) -> Change:
    return Change(
        rule=rule,
        severity=RULES[rule],
        object_kind="table",
        schema=table.schema,
        name=table.name,
        subject=table.label,
        sentence=sentence,
    )


def _of_column(table: Table, column: str, rule: str, what: str) -> Change:
    return Change(
        rule=rule,
        severity=RULES[rule],
        object_kind="table",
        schema=table.schema,
        name=table.name,
        subject=f"{table.label}.{column}",
        sentence=f"Column {table.label}.{column} {what}.",
    )


def _of_other(key: ObjectKey, verb: str, what: str) -> Change:
    kind, schema, name = key
    rule = f"{kind}_{verb}"
    subject = name if kind == "namespace" else f"{schema}.{name}"
    return Change(
        rule=rule,
        severity=RULES[rule],
        object_kind=kind,  # pyright: ignore[reportArgumentType]
        schema=schema,
        name=name,
        subject=subject,
        sentence=f"{_WORDS[kind]} {subject} {what}.",
    )
