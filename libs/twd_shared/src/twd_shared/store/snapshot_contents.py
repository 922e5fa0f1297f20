"""Rows of `twd.snapshot_objects` and `twd.schema_objects`: which object had which content when.

Whatever the number of objects, a table gets its rows in one statement: they travel as arrays, one
a column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.schema_model.fingerprint import key_of
from twd_shared.schema_model.models import (
    ObjectKey,
    ObjectKind,
    SchemaObject,
    decode_object,
    encode,
    kind_of,
)
from twd_shared.store.database import text_rows
from twd_shared.store.tables import schema_objects, snapshot_objects

_MOST_KEPT = 30_000
"""Objects, some 100 MiB of them."""


def current_fingerprints(transaction: sa.Connection, connection_id: str) -> dict[ObjectKey, str]:
    """Fingerprint of each object of the newest version, by key."""
    held = snapshot_objects
    rows = transaction.execute(
        sa.select(held.c.kind, held.c.schema_name, held.c.object_name, held.c.fingerprint).where(
            held.c.connection_id == connection_id, held.c.to_version.is_(None)
        )
    )
    return {(kind, schema, name): fingerprint for kind, schema, name, fingerprint in rows}


class DecodedObjects:
    """Contents that were read or written before, by fingerprint, so that none is decoded twice.

    A run asks for the same version several times, and for the one before, which differs in little.
    """

    def __init__(self) -> None:
        self._objects: dict[str, SchemaObject] = {}

    def keep(self, objects: Mapping[str, SchemaObject]) -> None:
        """Keep them, instead of all that were kept if these would be too many beside them."""
        if len(self._objects) + len(objects) > _MOST_KEPT:
            self._objects.clear()
        self._objects.update(objects)

    def among(self, fingerprints: Iterable[str]) -> dict[str, SchemaObject]:
        """Those of the fingerprints that are kept."""
        return {key: self._objects[key] for key in fingerprints if key in self._objects}


def objects_of(
    transaction: sa.Connection, connection_id: str, version: int, decoded: DecodedObjects
) -> list[SchemaObject]:
    """The objects of a version, sorted by key; what is not in `decoded` is read, and kept there.

    Of a kind that this release does not know, a later one may have written some: they are left out.
    """
    held = snapshot_objects
    rows = transaction.execute(
        sa.select(held.c.fingerprint).where(
            held.c.connection_id == connection_id,
            held.c.from_version <= version,
            held.c.to_version.is_(None) | (held.c.to_version > version),
            held.c.kind.in_(get_args(ObjectKind)),
        )
    )
    fingerprints = list(rows.scalars())
    objects = decoded.among(fingerprints)
    if missing := set(fingerprints) - objects.keys():
        wanted = text_rows(("fingerprint",), ((fingerprint,) for fingerprint in missing))
        # As text: the driver would make Python values of the body first.
        bodies = transaction.execute(
            sa.select(schema_objects.c.fingerprint, sa.cast(schema_objects.c.body, sa.Text)).join(
                wanted, wanted.c.fingerprint == schema_objects.c.fingerprint
            )
        )
        read = {fingerprint: decode_object(body) for fingerprint, body in bodies}
        decoded.keep(read)
        objects |= read
    return sorted((objects[fingerprint] for fingerprint in fingerprints), key=key_of)


def end_objects(
    transaction: sa.Connection, connection_id: str, keys: Iterable[ObjectKey], version: int
) -> None:
    """Record that `version` is the first without these contents of the objects."""
    ended = text_rows(("kind", "schema_name", "object_name"), keys)
    held = snapshot_objects
    transaction.execute(
        sa.update(held)
        .where(
            held.c.connection_id == connection_id,
            held.c.to_version.is_(None),
            held.c.kind == ended.c.kind,
            held.c.schema_name == ended.c.schema_name,
            held.c.object_name == ended.c.object_name,
        )
        .values(to_version=version)
    )


def start_objects(
    transaction: sa.Connection,
    connection_id: str,
    objects: Mapping[ObjectKey, SchemaObject],
    fingerprints: Mapping[ObjectKey, str],
    version: int,
) -> None:
    """Record that `version` is the first with these contents; store those that are new."""
    contents = {fingerprints[key]: item for key, item in objects.items()}
    _store(transaction, contents)
    names = ("kind", "schema_name", "object_name", "fingerprint")
    started = text_rows(names, ((*key, fingerprints[key]) for key in objects))
    held = snapshot_objects
    transaction.execute(
        sa.insert(held).from_select(
            ["connection_id", "from_version", *names],
            sa.select(sa.literal(connection_id), sa.literal(version), *started.c),
        )
    )


def _store(transaction: sa.Connection, contents: Mapping[str, SchemaObject]) -> None:
    names = ("fingerprint", "kind", "body")
    given = text_rows(
        names,
        (
            (fingerprint, kind_of(item), encode(item).decode())
            for fingerprint, item in contents.items()
        ),
    )
    body = sa.cast(given.c.body, schema_objects.c.body.type)
    transaction.execute(
        insert(schema_objects)
        .from_select(list(names), sa.select(given.c.fingerprint, given.c.kind, body))
        .on_conflict_do_nothing()
    )
