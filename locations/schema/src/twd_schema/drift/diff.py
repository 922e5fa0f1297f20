"""Comparing two snapshots: from two schemas to a tuple of changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from twd_schema.drift.changes import Change, SchemaDiff
from twd_schema.drift.column_types import type_of
from twd_schema.drift.objects import is_attached, object_changes
from twd_schema.drift.renames import Pairing, members_of, paired
from twd_schema.drift.renaming import in_new_names
from twd_schema.drift.replaced import Replacement, another_column, replacements, replacing
from twd_schema.drift.tables import removed_column, table_changes
from twd_schema.drift.telling import (
    label_of,
    of_column,
    of_object,
    of_table,
    renamed_to,
    written_before,
)
from twd_shared.schema_model.fingerprint import objects_by_key
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import (
    Column,
    ObjectKey,
    Routine,
    SchemaObject,
    Snapshot,
    Table,
)
from twd_shared.schema_model.renames import Renames, renames_between
from twd_shared.schema_model.wording import counted
from twd_shared.store.snapshots import SavedSnapshot, SnapshotStore

_OF_TYPES = ("column_type_promoted", "column_collation_changed")


def diff_snapshots(
    before: Snapshot | None,
    after: Snapshot,
    from_version: int,
    to_version: int,
    renames: Renames | None = None,
) -> SchemaDiff:
    """What changed from `before` (None = nothing was known) to `after`; equal gives no change.

    `renames` are those that a server proves; None = what the ids of the two snapshots prove. What
    merely follows from a rename is no change of its own.
    """
    new = objects_by_key(after)
    if before is None:
        changes = tuple(_changes({}, new, after.dialect))
    else:
        proven = renames_between(before, after) if renames is None else renames
        pairing = paired(before, after, proven)
        old = objects_by_key(before)
        said = in_new_names(before, after, pairing) if pairing else old
        replaced = replacements(old, new, pairing)
        changes = (
            *_renamed(old, new, pairing, replaced),
            *_lost(old, new, pairing, replaced),
            *_lacking(old, replaced, after.dialect),
            *_changes(said, new, after.dialect, upgraded=_release(before) != _release(after)),
        )
        # By its new name nothing knew such a table: what is gone in it breaks nothing.
        moved = {
            pairing.objects[key][1:]
            for key in replaced.keys() & pairing.objects.keys()
            if not replaced[key].missing
        }
        changes = tuple(item for item in changes if not _breaks_column_of(moved, item))
    return SchemaDiff(from_version=from_version, to_version=to_version, changes=changes)


def changes_since(
    snapshots: SnapshotStore, snapshot: Snapshot, saved: SavedSnapshot
) -> SchemaDiff | None:
    """What a save changed against the version before; None if there was none before."""
    version, connection_id = saved.version.version, saved.version.connection_id
    if saved.previous is None:
        return None
    if saved.previous == version:
        return SchemaDiff(from_version=version, to_version=version)
    before = snapshots.load(connection_id, saved.previous)
    renames = snapshots.renames(connection_id, saved.previous, version)
    return diff_snapshots(before, snapshot, saved.previous, version, renames)


def base_version(held: int | None, told: int | None) -> int:
    """The version to compare with: the older of what the index holds and what was told; 0 = none.

    Usually they are the same. The index is ahead when a run published and could not tell the
    changes, and behind when it told them and could not publish: neither may lose a change.
    """
    return min((version for version in (held, told) if version is not None), default=0)


def _release(snapshot: Snapshot) -> str:
    """The major version of a PostgreSQL; '' for another server, whose views say what was typed."""
    is_postgresql = snapshot.dialect == "postgresql"
    return snapshot.server_version.partition(".")[0] if is_postgresql else ""


def _changes(
    old: Mapping[ObjectKey, SchemaObject],
    new: Mapping[ObjectKey, SchemaObject],
    dialect: str,
    *,
    upgraded: bool = False,
) -> Iterator[Change]:
    for key in sorted(key for key in old.keys() | new.keys() if key[0] == "table"):
        one, other = old.get(key), new.get(key)
        partition = ("partition", *key[1:])
        # SQL goes on to find these by their name, but perhaps not with the same columns.
        if is_attached(partition, old, new):
            yield from _breaking(one, new[partition], dialect)
        elif is_attached(partition, new, old):
            yield from _breaking(old[partition], other, dialect)
        elif isinstance(one, Table) and isinstance(other, Table):
            if one != other:
                yield from table_changes(one, other, dialect, upgraded=upgraded)
        elif isinstance(one, Table):
            yield _removed(one)
        elif isinstance(other, Table):
            columns = counted(len(other.columns), "column")
            text = f"Table {other.label} was added with {columns}."
            yield of_table(other, "table_added", text)
    yield from object_changes(old, new, dialect)


def _breaking(
    one: SchemaObject | None, other: SchemaObject | None, dialect: str
) -> Iterator[Change]:
    if isinstance(one, Table) and isinstance(other, Table):
        changes = table_changes(one, other, dialect)
        yield from (item for item in changes if item.severity == "breaking")


def _breaks_column_of(tables: Collection[TableName], change: Change) -> bool:
    is_of_column = change.object_kind == "table" and change.member != ""
    named = (change.schema, change.name)
    return is_of_column and change.severity == "breaking" and named in tables


def _removed(table: Table, taken: str = "") -> Change:
    change = of_table(table, "table_removed", f"Table {table.label} was removed{taken}.")
    return _with_columns(change, table.columns)


def _with_columns(change: Change, columns: Iterable[Column]) -> Change:
    named = tuple((column.name, type_of(column)) for column in columns)
    return msgspec.structs.replace(change, columns=named)


def _renamed(
    old: Mapping[ObjectKey, SchemaObject],
    new: Mapping[ObjectKey, SchemaObject],
    pairing: Pairing,
    replaced: Mapping[ObjectKey, Replacement],
) -> Iterator[Change]:
    for key, now in sorted(pairing.objects.items(), key=lambda pair: pair[1]):
        item, other = old[key], new[now]
        # A routine's key holds its arguments: those are called otherwise, not the routine.
        if not isinstance(item, Routine) or (item.schema, item.name) != (other.schema, other.name):
            evidence = pairing.evidence(key)
            before, after = label_of(key), label_of(now)
            now = (key[0], *now[1:])
            if (key, "") in pairing.respelled:
                yield of_object(now, "respelled", written_before(before), "", before, after)
            elif taken := replaced.get(key):
                what = f"{renamed_to(after, evidence)}, and its old {taken.told()}"
                verb = "renamed" if taken.missing else "replaced"
                change = of_object(now, verb, what, "", before, after, evidence)
                yield _with_columns(change, taken.missing)
            else:
                what = renamed_to(after, evidence)
                yield of_object(now, "renamed", what, "", before, after, evidence)
    for key, members in sorted(pairing.members.items(), key=lambda pair: pairing.new_key(pair[0])):
        for before, after in sorted(members.items(), key=lambda pair: pair[1]):
            evidence = pairing.evidence(key, before)
            item, other = old[key], new[pairing.new_key(key)]
            if (key, before) in pairing.respelled and isinstance(other, Table):
                what = written_before(before)
                yield of_column(other, after, "column_respelled", what, before, after)
            elif isinstance(other, Table) and (key[0] == "table" or other.partition_of is None):
                rule, what = "column_renamed", renamed_to(after, evidence)
                column = _column(item, before) if isinstance(item, Table) else None
                if column and (taker := replacing(column, other)):
                    told = another_column(column, taker)
                    rule, what = "column_replaced", f"{what}, and its old {told}"
                yield of_column(other, after, rule, what, before, after, evidence=evidence)
            elif key[0] == "enum":
                what = f"renamed label {before!r} to {after!r}"
                yield of_object(
                    pairing.new_key(key), "label_renamed", what, after, before, after, evidence
                )


def _lost(
    old: Mapping[ObjectKey, SchemaObject],
    new: Mapping[ObjectKey, SchemaObject],
    pairing: Pairing,
    replaced: Mapping[ObjectKey, Replacement],
) -> Iterator[Change]:
    """What is gone though its name is there: something else was renamed to it."""
    for key in sorted(pairing.lost):
        item, taken = old[key], replaced.get(key)
        if taken and not taken.missing:
            yield of_object(key, "replaced", f"was removed, and its {taken.told()}")
        elif key[0] == "table" and isinstance(item, Table):
            yield _removed(item, f", and its {taken.told()}" if taken else "")
        else:
            yield of_object(key, "removed", "was removed")
    for key in sorted(pairing.members):
        item, other = old[key], new[pairing.new_key(key)]
        for name in pairing.lost_members(key, members_of(item)):
            if isinstance(item, Table) and isinstance(other, Table):
                if key[0] == "table":
                    yield removed_column(other, _column(item, name))
            else:
                what = f"lost label {name!r}"
                yield of_object(pairing.new_key(key), "label_removed", what, name, name)


def _lacking(
    old: Mapping[ObjectKey, SchemaObject],
    replaced: Mapping[ObjectKey, Replacement],
    dialect: str,
) -> Iterator[Change]:
    """Risks of SQL that goes on to use an old name: keys and NOT NULL that are not there now."""
    for key, (table, missing) in sorted(replaced.items()):
        item = old[key]
        if isinstance(item, Table) and not missing:
            for change in table_changes(item, table, dialect):
                # Rows of a view keep to the keys of what it reads.
                tells = item.is_view or not table.is_view or change.rule in _OF_TYPES
                if change.severity == "risky" and tells:
                    yield change


def _column(table: Table, name: str) -> Column:
    return next(column for column in table.columns if column.name == name)
