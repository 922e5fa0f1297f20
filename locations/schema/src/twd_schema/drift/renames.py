"""Which object of a snapshot became which of the next: by name, by proof, else by likeness.

Where a database compares names without case, another case of its letters is the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from twd_schema.drift.changes import Evidence
from twd_schema.drift.similarity import SimilarColumns, similar_tables
from twd_schema.drift.spelling import folding_of_columns, folding_of_tables
from twd_shared.schema_model.fingerprint import key_of, objects_by_key
from twd_shared.schema_model.keys import partitioned_by, upwards
from twd_shared.schema_model.models import (
    RELATION_KINDS,
    EnumType,
    ObjectKey,
    SchemaObject,
    Snapshot,
    Table,
)
from twd_shared.schema_model.renames import Rename, Renames, held_key

_Name = TypeVar("_Name", ObjectKey, str)


@dataclass(slots=True)
class Pairing:
    """Old names to new ones: of objects, and of their columns or labels by the old key.

    What stands in neither was not renamed. `lost` are objects and members that are gone though
    their name is there: something else was renamed to it.
    """

    objects: dict[ObjectKey, ObjectKey] = field(default_factory=dict[ObjectKey, ObjectKey])
    members: dict[ObjectKey, dict[str, str]] = field(
        default_factory=dict[ObjectKey, dict[str, str]]
    )
    lost: set[ObjectKey] = field(default_factory=set[ObjectKey])
    by_likeness: set[tuple[ObjectKey, str]] = field(default_factory=set[tuple[ObjectKey, str]])
    """(old key, old member or '') of what only looks alike."""
    respelled: set[tuple[ObjectKey, str]] = field(default_factory=set[tuple[ObjectKey, str]])
    """(old key, old member or '') of what SQL finds by its old name as well."""

    def __bool__(self) -> bool:
        """Whether anything was renamed."""
        return bool(self.objects or self.members)

    def new_key(self, key: ObjectKey) -> ObjectKey:
        """What an old key is called now."""
        return self.objects.get(key, key)

    def new_relation(self, schema: str, name: str) -> tuple[str, str]:
        """What a table, partition or view is called now."""
        for kind in RELATION_KINDS:
            if found := self.objects.get((kind, schema, name)):
                return found[1:]
        return (schema, name)

    def columns_of(self, schema: str, name: str) -> Mapping[str, str]:
        """Old to new names of a relation's columns, by its old name."""
        return self.members.get(("table", schema, name)) or self.members.get(
            ("partition", schema, name), {}
        )

    def lost_members(self, key: ObjectKey, members: Iterable[str]) -> list[str]:
        """Those of an old object's members that are gone though something has their name now."""
        renamed = self.members.get(key, {})
        taken = set(renamed.values())
        return [name for name in members if name in taken and name not in renamed]

    def evidence(self, key: ObjectKey, member: str = "") -> Evidence:
        """How the rename of this old name is known."""
        return "similarity" if (key, member) in self.by_likeness else "server"


def paired(before: Snapshot, after: Snapshot, renames: Renames) -> Pairing:
    """The renames that hold between the two snapshots.

    Where ids do not prove all, tables and columns that look alike count as renamed, too.
    """
    old = objects_by_key(before)
    new = objects_by_key(after)
    pairing = Pairing()
    for rename in renames.items:
        one, other = held_key(rename.old_key, old), held_key(rename.new_key, new)
        if not rename.new_member and one is not None and other is not None:
            pairing.objects[one] = other
    _pair_members(pairing, old, new, renames.items)
    fold = folding_of_tables(after.dialect)
    for one, other in _respelled(old, new, lambda key: (key[0], fold(key[1]), fold(key[2]))):
        pairing.objects[one] = other
        pairing.respelled.add((one, ""))
    _pair_respelled_columns(pairing, old, new, folding_of_columns(after.dialect))
    if not renames.complete:
        _pair_alike(pairing, old, new)
    taken = (held_key(key, old) for key in pairing.objects.values())
    pairing.lost = {key for key in taken if key is not None and key not in pairing.objects}
    return pairing


def members_of(item: SchemaObject) -> tuple[str, ...]:
    """The names of a table's columns or an enum's labels, in their order."""
    if isinstance(item, Table):
        return tuple(column.name for column in item.columns)
    return item.labels if isinstance(item, EnumType) else ()


def _pair_members(
    pairing: Pairing,
    old: Mapping[ObjectKey, SchemaObject],
    new: Mapping[ObjectKey, SchemaObject],
    renames: Iterable[Rename],
) -> None:
    for rename in renames:
        key, now = held_key(rename.old_key, old), held_key(rename.new_key, new)
        if not rename.new_member or key is None or now is None or pairing.new_key(key) != now:
            continue
        before, after = members_of(old[key]), members_of(new[now])
        if rename.old_member in before and rename.new_member in after:
            pairing.members.setdefault(key, {})[rename.old_member] = rename.new_member


def _pair_respelled_columns(
    pairing: Pairing,
    old: Mapping[ObjectKey, SchemaObject],
    new: Mapping[ObjectKey, SchemaObject],
    fold: Callable[[str], str],
) -> None:
    for key, item in old.items():
        if (now := new.get(pairing.new_key(key))) is not None and now != item:
            for before, after in _respelled(members_of(item), members_of(now), fold):
                pairing.members.setdefault(key, {})[before] = after
                pairing.respelled.add((key, before))


def _respelled(
    old: Collection[_Name], new: Collection[_Name], fold: Callable[[_Name], _Name]
) -> list[tuple[_Name, _Name]]:
    """What is gone, and has come with its letters in another case."""
    held, holds = frozenset(old), frozenset(new)
    come = {fold(name): name for name in new if name not in held}
    gone = [name for name in old if name not in holds]
    return [(name, come[fold(name)]) for name in gone if fold(name) in come]


def _pair_alike(
    pairing: Pairing,
    old: Mapping[ObjectKey, SchemaObject],
    new: Mapping[ObjectKey, SchemaObject],
) -> None:
    taken = set(pairing.objects.values())
    gone = _tables(old, [key for key in old if key not in new and key not in pairing.objects])
    come = _tables(new, [key for key in new if key not in old and key not in taken])
    for one, other in similar_tables(gone, come):
        pairing.objects[key_of(one)] = key_of(other)
        pairing.by_likeness.add((key_of(one), ""))
    taken = set(pairing.objects.values())
    columns = SimilarColumns()
    for key, table in old.items():
        now = new.get(pairing.new_key(key))
        if (
            not isinstance(table, Table)
            or not isinstance(now, Table)
            or table.columns == now.columns
            or table.partition_of is not None
            or (key in taken and key not in pairing.objects)
        ):
            continue
        known = pairing.members.get(key, {})
        for before, after in columns.of(table, now, known):
            pairing.members.setdefault(key, {})[before] = after
            pairing.by_likeness.add((key, before))
    above = partitioned_by(item for item in old.values() if isinstance(item, Table))
    for name in above:
        key = ("partition", *name)
        if key in new:
            root = ("table", *upwards(name, above)[-1])
            _follow_parent(pairing, root, key, set(members_of(old[key])), set(members_of(new[key])))


def _follow_parent(
    pairing: Pairing, root: ObjectKey, key: ObjectKey, held: set[str], now: set[str]
) -> None:
    """What is renamed in a partitioned table is renamed in its partitions, and only so."""
    for before, after in pairing.members.get(root, {}).items():
        if before in held and after in now and (root, before) in pairing.by_likeness:
            pairing.members.setdefault(key, {})[before] = after


def _tables(objects: Mapping[ObjectKey, SchemaObject], keys: Collection[ObjectKey]) -> list[Table]:
    found = (objects[key] for key in keys)
    return [item for item in found if isinstance(item, Table) and item.partition_of is None]
