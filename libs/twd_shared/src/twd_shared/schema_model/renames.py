"""Which objects and columns only got another name: told by their ids, and over several versions."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import cast

import msgspec

from twd_shared.schema_model.identities import Identities, Identity
from twd_shared.schema_model.models import RELATION_KINDS, ObjectKey, ObjectKind, Snapshot

# Of the members of the larger, with name and number: what is renamed has seldom changed more.
_LEAST_SHARED = 0.8
# Where the object's own name is the same: of two columns one may be renamed.
_LEAST_SHARED_BY_NAME = 0.5


class Rename(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """An object, or a column or label of it, that is called otherwise now.

    `kind` is what it is now. A table that is detached now was a partition before, and the other way
    round: `held_key` finds either. `old` and `new` are (schema, name) of the object. With members
    it is the member that was renamed, and `old` and `new` say what its object was and is called,
    which may be the same.
    """

    kind: ObjectKind
    old: tuple[str, str]
    new: tuple[str, str]
    old_member: str = ""
    new_member: str = ""

    @property
    def old_key(self) -> ObjectKey:
        """The object's key before."""
        return (self.kind, *self.old)

    @property
    def new_key(self) -> ObjectKey:
        """The object's key now."""
        return (self.kind, *self.new)


class Renames(msgspec.Struct, frozen=True, kw_only=True):
    """The renames from one version to another that the server proves.

    `complete` says that it had the ids of both: what is not among them was not renamed.
    """

    items: tuple[Rename, ...] = ()
    complete: bool = False


class RenameStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a version did to a name: it came to mean an object that was called otherwise.

    `since` is the first version in which that object was known. A rename with nothing old says
    that the name came to mean a new object.
    """

    version: int
    since: int
    rename: Rename

    @property
    def is_new_object(self) -> bool:
        """Whether nothing that was known had this name before."""
        return not any(self.rename.old)


def renames_between(before: Snapshot, after: Snapshot) -> Renames:
    """What the ids of two readings prove; nothing where one has none or another origin."""
    old, new = before.identities, after.identities
    if old is None or new is None or not mean_the_same(old, new):
        return Renames()
    return Renames(items=tuple(sorted(renames_by_id(old, new))), complete=True)


def mean_the_same(before: Identities, after: Identities) -> bool:
    """Whether an id is of the same object in both readings.

    A server that was set back to a copy of its files gives out ids again, under the same origin but
    for its start. Among them are some then by which an object would have become another, or most
    columns of a table others.
    """
    if before.origin == after.origin:
        return True
    if before.origin.split(" ")[0] != after.origin.split(" ")[0]:
        return False
    known = {item.lasting: item for item in before.objects}
    return all(
        _can_be(old, item)
        for item in after.objects
        if (old := known.get(item.lasting)) is not None and old != item
    )


def held_key(key: ObjectKey, objects: Container[ObjectKey]) -> ObjectKey | None:
    """The key by which `objects` hold what has this one; None if they do not.

    A table that was attached or detached since is found as what it was: a partition and a table
    of its own share their names.
    """
    kinds = RELATION_KINDS if key[0] in RELATION_KINDS else key[:1]
    return next((held for kind in kinds if (held := (kind, *key[1:])) in objects), None)


def renames_by_id(before: Identities, after: Identities) -> list[Rename]:
    """The objects and members whose id is in both, with different names.

    The ids must `mean_the_same`.
    """
    known = {item.lasting: item for item in before.objects}
    taken: set[ObjectKey] = set()
    found: list[Rename] = []
    for item in after.objects:
        old = known.get(item.lasting)
        # The same in most cases, and comparing whole is cheap.
        if old is None or old == item or _place(old.key)[0] != _place(item.key)[0]:
            continue
        if (old.kind, item.kind) == ("table", "partition"):
            taken = taken or {_place(other.key) for other in after.objects}
            if _place(old.key) in taken:
                # Partitioned in use: the new parent has the name by which all is asked as before.
                continue
        found += _renames(old, item)
    return found


def _can_be(old: Identity, new: Identity) -> bool:
    """Whether one may be what the other is called now."""
    if _place(old.key)[0] != _place(new.key)[0]:
        return False
    if not _renames(old, new):
        # By members that come or go under its name, nothing is taken for something else.
        return True
    least = _LEAST_SHARED_BY_NAME if _place(old.key) == _place(new.key) else _LEAST_SHARED
    members = [set(zip(item.numbers, item.members, strict=True)) for item in (old, new)]
    return len(members[0] & members[1]) >= least * max(map(len, members))


def _renames(old: Identity, new: Identity) -> list[Rename]:
    kind = cast("ObjectKind", new.kind)
    names = ((old.schema, old.name), (new.schema, new.name))
    found = [Rename(kind=kind, old=names[0], new=names[1])] if names[0] != names[1] else []
    if old.members != new.members or old.numbers != new.numbers:
        members = dict(zip(old.numbers, old.members, strict=True))
        for number, member in zip(new.numbers, new.members, strict=True):
            before = members.get(number, member)
            if before != member:
                found.append(
                    Rename(
                        kind=kind,
                        old=names[0],
                        new=names[1],
                        old_member=before,
                        new_member=member,
                    )
                )
    return found


class NameHistory:
    """What today's names were at a version, as far as renames since then tell.

    A partition counts as a table: it can be detached, and keeps its past.

    A name that is not held was never touched; one that means a newer object was nothing.
    """

    def __init__(self, steps: Iterable[RenameStep], from_version: int) -> None:
        """Follow the steps, sorted by version, all of them after `from_version`."""
        self._objects: dict[ObjectKey, ObjectKey | None] = {}
        self._members: dict[ObjectKey, dict[str, str | None]] = {}
        by_version: dict[int, list[RenameStep]] = {}
        for step in steps:
            by_version.setdefault(step.version, []).append(step)
        for version in sorted(by_version):
            self._follow(by_version[version], from_version)

    def knows(self, key: ObjectKey, member: str = "") -> bool:
        """Whether a rename has touched this name; of an object's, or that of a member of it."""
        key = _place(key)
        members = self._members.get(key, {})
        return member in members if member else key in self._objects or bool(members)

    def renames(self) -> tuple[Rename, ...]:
        """What is called otherwise now than at the version, sorted."""
        found: list[Rename] = []
        for key, old in self._objects.items():
            if old is not None and old != key:
                found.append(_rename(old, key))
        for key, members in self._members.items():
            old = self._objects.get(key, key)
            if old is not None:
                found += [
                    _rename(old, key, before, member)
                    for member, before in members.items()
                    if before is not None and before != member
                ]
        return tuple(sorted(found))

    def _follow(self, steps: list[RenameStep], from_version: int) -> None:
        of_objects = [step for step in steps if not step.rename.new_member]
        # All at once: names may be swapped.
        origins: dict[ObjectKey, ObjectKey | None] = {}
        members: dict[ObjectKey, dict[str, str | None]] = {}
        for step in of_objects:
            old, new = _place(step.rename.old_key), _place(step.rename.new_key)
            is_new = step.is_new_object or step.since > from_version
            origins[new] = None if is_new else self._objects.get(old, old)
            members[new] = {} if step.is_new_object else self._members.get(old, {})
        for step in of_objects:
            self._members.pop(_place(step.rename.old_key), None)
            if not step.is_new_object:
                # Whatever gets this name later is another object.
                self._objects[_place(step.rename.old_key)] = None
        self._objects |= origins
        self._members |= members
        of_members: dict[ObjectKey, list[RenameStep]] = {}
        for step in steps:
            if step.rename.new_member:
                of_members.setdefault(_place(step.rename.new_key), []).append(step)
        for key, group in of_members.items():
            self._members[key] = _followed(self._members.get(key, {}), group, from_version)


def _place(key: ObjectKey) -> ObjectKey:
    """Where a name stands: those of partitions among those of tables."""
    return ("table", *key[1:]) if key[0] == "partition" else key


def _followed(
    held: Mapping[str, str | None], steps: Iterable[RenameStep], from_version: int
) -> dict[str, str | None]:
    after = dict(held)
    for step in steps:
        if step.rename.old_member:
            after[step.rename.old_member] = None
    for step in steps:
        old, new = step.rename.old_member, step.rename.new_member
        is_new = not old or step.since > from_version
        after[new] = None if is_new else held.get(old, old)
    return after


def _rename(old: ObjectKey, new: ObjectKey, before: str = "", member: str = "") -> Rename:
    return Rename(
        kind=cast("ObjectKind", new[0]),
        old=old[1:],
        new=new[1:],
        old_member=before,
        new_member=member,
    )
