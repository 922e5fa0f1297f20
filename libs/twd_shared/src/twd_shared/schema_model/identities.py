"""The ids by which a server itself knows its schema objects: they stay when a name changes.

They are no part of a fingerprint: a database that was dumped and restored has others.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple

import msgspec


class IdentifiedAs(NamedTuple):
    """What the server calls an object, whatever its name is: ids are unique in one catalog."""

    catalog: str
    number: int


class Identity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An object's id, and the numbers of its columns or labels, in the order of `members`."""

    kind: str
    schema: str
    name: str
    id: int
    members: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """(kind, schema, name), as snapshots key their objects."""
        return (self.kind, self.schema, self.name)

    @property
    def lasting(self) -> IdentifiedAs:
        """What stays when the object is renamed."""
        return IdentifiedAs(_CATALOGS.get(self.kind, self.kind), self.id)


class Identities(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The ids of one reading's objects; those of two readings mean the same only by `origin`."""

    origin: str
    """Mark of the server and database that gave the ids; then, after a space, of its start."""
    objects: tuple[Identity, ...] = ()


_CATALOGS = {
    "table": "relation",
    "partition": "relation",
    "sequence": "relation",
    "enum": "type",
    "domain": "type",
    "composite": "type",
    "range": "type",
}
"""Of the kinds that share one; any other has a catalog of its own, also one of a later release."""


def left_out(
    identities: Iterable[Identity], keys: Container[tuple[str, str, str]]
) -> tuple[Identity, ...]:
    """Those of partitions that are not among the objects with these keys, as they are not wanted.

    They are in the source, and what had such a name and stood alone was not removed.
    """
    return tuple(
        item
        for item in identities
        if item.kind == "partition"
        and item.key not in keys
        and ("table", item.schema, item.name) not in keys
    )


def identities_within(
    identities: Identities | None, keys: Container[tuple[str, str, str]]
) -> Identities | None:
    """Those of the objects with these keys; a partition that is listed counts as a table."""
    if identities is None:
        return None
    kept: list[Identity] = []
    for item in identities.objects:
        if item.key in keys:
            kept.append(item)
        elif item.kind == "partition" and ("table", item.schema, item.name) in keys:
            kept.append(msgspec.structs.replace(item, kind="table"))
    return Identities(origin=identities.origin, objects=tuple(kept))
