"""The row of `twd.table_identities`: by which ids a server knew a connection's newest objects.

Only the newest ids are kept. With each stands the first version in which it was seen, so that a
rename is never told of an object that merely took over a name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.schema_model.fingerprint import digest
from twd_shared.schema_model.identities import (
    IdentifiedAs,
    Identities,
    Identity,
    identities_within,
    left_out,
)
from twd_shared.schema_model.models import ObjectKey
from twd_shared.store.sync_tables import table_identities


class KnownIdentity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An identity and the versions in which it and each of its members was first seen."""

    identity: Identity
    since: int
    member_since: tuple[int, ...] = ()
    """As long as the members; empty = all came with the object."""

    def since_by_number(self) -> dict[int, int]:
        """The version in which each member was first seen, by the member's number."""
        if not self.member_since:
            return dict.fromkeys(self.identity.numbers, self.since)
        return dict(zip(self.identity.numbers, self.member_since, strict=True))


class StoredIdentities(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept: `version` is the one that they are of, and the first that they reach back to.

    From `since_version` on, every version was compared by ids with the one before.
    """

    version: int
    since_version: int
    origin: str
    content_hash: str
    body: str

    def objects(self) -> tuple[KnownIdentity, ...]:
        """The identities themselves."""
        return msgspec.json.decode(self.body, type=tuple[KnownIdentity, ...])


def as_read(origin: str, known: Iterable[KnownIdentity]) -> Identities:
    """The identities as the reading of that origin gave them."""
    return Identities(origin=origin, objects=tuple(item.identity for item in known))


def read_identities(transaction: sa.Connection, connection_id: str) -> StoredIdentities | None:
    """What is kept of the connection, or None."""
    table = table_identities
    row = transaction.execute(
        sa.select(
            table.c.version,
            table.c.since_version,
            table.c.origin,
            table.c.content_hash,
            # As text: the driver would make Python values of the body.
            sa.cast(table.c.body, sa.Text).label("body"),
        ).where(table.c.connection_id == connection_id)
    ).one_or_none()
    return StoredIdentities(**row._mapping) if row else None


def read_head(transaction: sa.Connection, connection_id: str) -> tuple[int, int, str] | None:
    """(version, since_version, content hash) of what is kept, or None."""
    table = table_identities
    row = transaction.execute(
        sa.select(table.c.version, table.c.since_version, table.c.content_hash).where(
            table.c.connection_id == connection_id
        )
    ).one_or_none()
    return (row.version, row.since_version, row.content_hash) if row else None


def confirm_identities(transaction: sa.Connection, connection_id: str, version: int) -> None:
    """Record that a new version has the same ids."""
    table = table_identities
    transaction.execute(
        sa.update(table).where(table.c.connection_id == connection_id).values(version=version)
    )


def write_identities(
    transaction: sa.Connection,
    connection_id: str,
    stored: StoredIdentities,
) -> None:
    """Make these the connection's identities."""
    table = table_identities
    values = {
        "version": stored.version,
        "since_version": stored.since_version,
        "origin": stored.origin,
        "content_hash": stored.content_hash,
        "body": sa.cast(sa.literal(stored.body, sa.Text), table.c.body.type),
    }
    statement = insert(table).values(connection_id=connection_id, **values)
    transaction.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c.connection_id],
            set_={name: statement.excluded[name] for name in values},
        )
    )


def in_order(identities: Identities, keys: Collection[ObjectKey]) -> Identities:
    """The identities of the objects with these keys, and of what is left out, sorted by id."""
    within = identities_within(identities, keys)
    found = (*(within.objects if within else ()), *left_out(identities.objects, keys))
    # Two that have the same id are of two catalogs, and those come in the same order always.
    objects = sorted(found, key=attrgetter("id"))
    return Identities(origin=identities.origin, objects=tuple(objects))


def hash_of(identities: Identities) -> str:
    """Of the identities in their order, 32 hex digits."""
    return digest(msgspec.json.encode(identities))


def known_since(
    identities: Identities, held: Mapping[IdentifiedAs, KnownIdentity], version: int
) -> list[KnownIdentity]:
    """The identities of `version`, each with the version in which `held` has it first."""
    found: list[KnownIdentity] = []
    for item in identities.objects:
        known = held.get(item.lasting)
        if known is None:
            found.append(KnownIdentity(item, version))
        elif known.identity.numbers == item.numbers:
            found.append(KnownIdentity(item, known.since, known.member_since))
        else:
            held_since = known.since_by_number()
            members = tuple(held_since.get(number, version) for number in item.numbers)
            alike = all(since == known.since for since in members)
            found.append(KnownIdentity(item, known.since, () if alike else members))
    return found
