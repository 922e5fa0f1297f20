"""Comparing two snapshots: pure functions from two schemas to a tuple of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, TypeVar

from twd_schema.drift.changes import RULES, Change, SchemaDiff
from twd_shared.schema_model.models import Column, DomainType, EnumType, ForeignKey, Snapshot, Table

_Type = TypeVar("_Type", EnumType, DomainType)


def diff_snapshots(
    before: Snapshot | None, after: Snapshot, from_version: int, to_version: int
) -> SchemaDiff:
    """What changed from `before` (None = nothing was known) to `after`; equal gives no change."""
    changes: list[Change] = []
    for compare in (_tables, _enums, _domains):
        changes += compare(before, after)
    return SchemaDiff(from_version=from_version, to_version=to_version, changes=tuple(changes))


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
            yield from _table(old[key], new[key])


def _table(old: Table, new: Table) -> Iterator[Change]:
    yield from _columns(old, new)
    yield from _foreign_keys(old, new)
    compared: tuple[tuple[str, str, Callable[[Table], Any]], ...] = (
        ("table_kind_changed", "kind", lambda table: table.kind),
        ("table_comment_changed", "comment", lambda table: table.comment),
        ("view_definition_changed", "definition", lambda table: table.definition),
        ("primary_key_changed", "primary key", lambda table: table.primary_key),
        ("unique_constraints_changed", "unique constraints", lambda t: t.unique_constraints),
        ("constraints_changed", "check or exclusion constraints", lambda t: t.constraints),
        ("indexes_changed", "indexes", lambda table: table.indexes),
        ("partitioning_changed", "partition key", lambda table: table.partition_key),
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
    if _generation(old) != _generation(new):
        yield change("column_generation_changed", "changed how its value is generated")
    if old.comment != new.comment:
        yield change("column_comment_changed", "changed its comment")


def _generation(column: Column) -> tuple[str | None, str | None, bool]:
    return column.identity, column.generated, column.virtual


def _foreign_keys(old: Table, new: Table) -> Iterator[Change]:
    before, after = set(old.foreign_keys), set(new.foreign_keys)
    for key in sorted(before - after, key=repr):
        yield _of_table(new, "foreign_key_removed", f"{new.label} no longer {_refers(key)}.")
    for key in sorted(after - before, key=repr):
        yield _of_table(new, "foreign_key_added", f"{new.label} now {_refers(key)}.")


def _refers(key: ForeignKey) -> str:
    target = f"{key.referenced_schema}.{key.referenced_table}"
    return f"refers to {target} through {', '.join(key.columns)}"


def _enums(before: Snapshot | None, after: Snapshot) -> Iterator[Change]:
    old, new = _by_name(before.enums if before else ()), _by_name(after.enums)
    yield from _added_and_removed("enum", old, new)
    for key in sorted(old.keys() & new.keys()):
        yield from _enum(old[key], new[key])


def _enum(old: EnumType, new: EnumType) -> Iterator[Change]:
    if old == new:
        return
    lost = [label for label in old.labels if label not in new.labels]
    gained = [label for label in new.labels if label not in old.labels]
    name = f"{new.schema}.{new.name}"
    for rule, labels, verb in (
        ("enum_label_removed", lost, "lost"),
        ("enum_label_added", gained, "gained"),
    ):
        for label in labels:
            yield _of_type(
                "enum", new.schema, new.name, rule, f"Enum {name} {verb} label {label!r}."
            )
    if not lost and not gained:
        yield _of_type("enum", new.schema, new.name, "enum_changed", f"Enum {name} changed.")


def _domains(before: Snapshot | None, after: Snapshot) -> Iterator[Change]:
    old, new = _by_name(before.domains if before else ()), _by_name(after.domains)
    yield from _added_and_removed("domain", old, new)
    for schema, name in sorted(old.keys() & new.keys()):
        if old[schema, name] != new[schema, name]:
            sentence = f"Domain {schema}.{name} changed."
            yield _of_type("domain", schema, name, "domain_changed", sentence)


def _added_and_removed(
    kind: Literal["enum", "domain"],
    old: Mapping[tuple[str, str], Any],
    new: Mapping[tuple[str, str], Any],
) -> Iterator[Change]:
    for verb, keys in (
        ("removed", sorted(old.keys() - new.keys())),
        ("added", sorted(new.keys() - old.keys())),
    ):
        for schema, name in keys:
            sentence = f"{kind.capitalize()} {schema}.{name} was {verb}."
            yield _of_type(kind, schema, name, f"{kind}_{verb}", sentence)


def _by_name(types: Iterable[_Type]) -> dict[tuple[str, str], _Type]:
    return {(item.schema, item.name): item for item in types}


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


def _of_type(
    kind: Literal["enum", "domain"], schema: str, name: str, rule: str, sentence: str
) -> Change:
    return Change(
        rule=rule,
        severity=RULES[rule],
        object_kind=kind,
        schema=schema,
        name=name,
        subject=f"{schema}.{name}",
        sentence=sentence,
    )
