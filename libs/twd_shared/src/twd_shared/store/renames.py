"""Rows of `twd.renames`: what ids prove at each save, and what that means between two versions.

A row whose old name is empty says that a name which renames had led to means a new object. So no
rename is told of what was dropped and made again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import cast

import msgspec
import sqlalchemy as sa

from twd_shared.schema_model.identities import IdentifiedAs, Identities
from twd_shared.schema_model.models import ObjectKey, ObjectKind
from twd_shared.schema_model.renames import (
    NameHistory,
    Rename,
    Renames,
    RenameStep,
    held_key,
    mean_the_same,
    renames_by_id,
)
from twd_shared.store.description_moves import move_descriptions
from twd_shared.store.sync_tables import renames
from twd_shared.store.table_identities import (
    KnownIdentity,
    StoredIdentities,
    as_read,
    confirm_identities,
    hash_of,
    in_order,
    known_since,
    read_head,
    read_identities,
    write_identities,
)


def record_identities(
    transaction: sa.Connection,
    connection_id: str,
    identities: Identities | None,
    *,
    before: Collection[ObjectKey],
    now: Collection[ObjectKey],
    unconfirmed: Collection[ObjectKey],
    previous: int,
    version: int,
) -> None:
    """Keep the ids of `version`, and the renames that they prove since the version before.

    `before` and `now` are the objects of the two versions, `previous` the number of the one before
    (the same if the schema has not changed). The same ids again write nothing. What the reading
    could not tell of (`unconfirmed`) keeps the ids that it had; nothing was renamed to or from it.
    """
    if identities is None:
        return
    read = in_order(identities, now)
    content_hash = hash_of(read)
    head = read_head(transaction, connection_id)
    if head is not None and head[0] == previous and head[2] == content_hash:
        if version != previous:
            confirm_identities(transaction, connection_id, version)
        return
    stored = read_identities(transaction, connection_id)
    known = stored.objects() if stored and stored.version == previous else ()
    if stored and not (
        stored.version == previous and mean_the_same(as_read(stored.origin, known), read)
    ):
        stored, known = None, ()
    held = {item.identity.lasting: item for item in known}
    if stored and version != previous:
        _record_renames(transaction, connection_id, held, read, before, unconfirmed, version)
    kept = _kept(held, read, unconfirmed)
    body = msgspec.json.encode([*known_since(read, held, version), *kept])
    write_identities(
        transaction,
        connection_id,
        StoredIdentities(
            version=version,
            since_version=stored.since_version if stored else version,
            origin=read.origin,
            content_hash=content_hash,
            body=body.decode(),
        ),
    )


def renames_of(
    transaction: sa.Connection, connection_id: str, from_version: int, to_version: int
) -> Renames:
    """What is called otherwise in one version than in an earlier one, as far as ids prove it."""
    head = read_head(transaction, connection_id)
    steps = _steps(transaction, connection_id, from_version, to_version)
    complete = head is not None and head[1] <= from_version and to_version <= head[0]
    return Renames(items=NameHistory(steps, from_version).renames(), complete=complete)


def forget_renames(transaction: sa.Connection, connection_id: str, oldest: int) -> None:
    """Delete the renames that lead from no version that is kept; `oldest` is the first kept."""
    transaction.execute(
        sa.delete(renames).where(
            renames.c.connection_id == connection_id, renames.c.version <= oldest
        )
    )


def _kept(
    held: Mapping[IdentifiedAs, KnownIdentity],
    read: Identities,
    unconfirmed: Collection[ObjectKey],
) -> list[KnownIdentity]:
    shown = {item.lasting for item in read.objects}
    names = {item.key for item in read.objects}
    return [
        known
        for lasting, known in held.items()
        if lasting not in shown
        and known.identity.key in unconfirmed
        and known.identity.key not in names
    ]


def _record_renames(
    transaction: sa.Connection,
    connection_id: str,
    held: Mapping[IdentifiedAs, KnownIdentity],
    read: Identities,
    before: Collection[ObjectKey],
    unconfirmed: Collection[ObjectKey],
    version: int,
) -> None:
    old = Identities(origin=read.origin, objects=tuple(item.identity for item in held.values()))
    of_name = {item.identity.key: item for item in held.values()}
    steps: list[RenameStep] = []
    for rename in renames_by_id(old, read):
        old_key = held_key(rename.old_key, of_name)
        if (
            old_key is None
            or old_key not in before
            or not {old_key, rename.new_key}.isdisjoint(unconfirmed)
        ):
            continue
        known = of_name[old_key]
        number = known.identity.members.index(rename.old_member) if rename.old_member else None
        since = (
            known.since if number is None or not known.member_since else known.member_since[number]
        )
        steps.append(RenameStep(version=version, since=since, rename=rename))
    move_descriptions(
        transaction,
        connection_id,
        [step.rename for step in steps],
        old.objects,
        read.objects,
    )
    history = NameHistory([*_steps(transaction, connection_id, 0, version), *steps], 0)
    steps += _new_objects(history, held, read, version)
    _insert(transaction, connection_id, steps)


def _new_objects(
    history: NameHistory,
    held: Mapping[IdentifiedAs, KnownIdentity],
    read: Identities,
    version: int,
) -> Iterable[RenameStep]:
    """Steps of the names that renames had touched and that mean something new from now on."""
    for item in read.objects:
        kind = cast("ObjectKind", item.kind)
        name = (item.schema, item.name)
        known = held.get(item.lasting)
        if known is None:
            if history.knows(item.key):
                yield _new_object(version, Rename(kind=kind, old=("", ""), new=name))
        elif known.identity.numbers != item.numbers:
            numbers = frozenset(known.identity.numbers)
            for number, member in zip(item.numbers, item.members, strict=True):
                if number not in numbers and history.knows(item.key, member):
                    yield _new_object(
                        version,
                        Rename(kind=kind, old=("", ""), new=name, new_member=member),
                    )


def _new_object(version: int, rename: Rename) -> RenameStep:
    return RenameStep(version=version, since=version, rename=rename)


def _insert(transaction: sa.Connection, connection_id: str, steps: Collection[RenameStep]) -> None:
    if not steps:
        return
    transaction.execute(
        sa.insert(renames),
        [
            {
                "connection_id": connection_id,
                "version": step.version,
                "since_version": step.since,
                "kind": step.rename.kind,
                "schema_name": step.rename.new[0],
                "object_name": step.rename.new[1],
                "member": step.rename.new_member,
                "old_schema": step.rename.old[0],
                "old_object": step.rename.old[1],
                "old_member": step.rename.old_member,
            }
            for step in steps
        ],
    )


def _steps(
    transaction: sa.Connection, connection_id: str, from_version: int, to_version: int
) -> list[RenameStep]:
    rows = transaction.execute(
        sa.select(renames).where(
            renames.c.connection_id == connection_id,
            renames.c.version > from_version,
            renames.c.version <= to_version,
        )
    )
    return [
        RenameStep(
            version=row.version,
            since=row.since_version,
            rename=Rename(
                kind=row.kind,
                old=(row.old_schema, row.old_object),
                new=(row.schema_name, row.object_name),
                old_member=row.old_member,
                new_member=row.member,
            ),
        )
        for row in rows
    ]
