"""Snapshots with full history: immutable versions, contents stored once, unchanged ones free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.errors import UnknownConnection
from twd_shared.schema_model.fingerprint import (
    key_of,
    object_fingerprints,
    snapshot_fingerprint,
)
from twd_shared.schema_model.models import (
    ObjectKey,
    SchemaObject,
    Snapshot,
    decode_object,
    encode,
    snapshot_of,
)
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import schema_objects, snapshot_objects, snapshots


@dataclass(frozen=True, slots=True)
class SnapshotVersion:
    """One stored version: which it is, its fingerprint, its size and when it was true."""

    connection_id: str
    version: int
    fingerprint: str
    table_count: int
    column_count: int
    taken_at: datetime
    confirmed_at: datetime


@dataclass(frozen=True, slots=True)
class SavedSnapshot:
    """What a save did: the version that now is newest and the objects that it changed."""

    version: SnapshotVersion
    previous: int | None
    added: tuple[ObjectKey, ...]
    removed: tuple[ObjectKey, ...]
    modified: tuple[ObjectKey, ...]


class SnapshotStore:
    """Rows of `twd.snapshots`, `twd.snapshot_objects` and `twd.schema_objects`."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def save(self, connection_id: str, snapshot: Snapshot) -> SavedSnapshot:
        """Store the snapshot as a new version, or confirm the newest one if nothing changed."""
        contents = {key_of(item): item for item in snapshot.objects}
        now = object_fingerprints(snapshot)
        fingerprint = snapshot_fingerprint(now)
        with self._database.begin() as transaction:
            _lock(transaction, connection_id)
            newest = _newest(transaction, connection_id)
            if newest is not None and newest.fingerprint == fingerprint:
                confirmed = transaction.execute(
                    sa.update(snapshots)
                    .where(_is(newest))
                    .values(confirmed_at=sa.func.clock_timestamp())
                    .returning(snapshots)
                ).one()
                return SavedSnapshot(_version(confirmed), newest.version, (), (), ())
            before = _current_fingerprints(transaction, connection_id)
            added = tuple(sorted(now.keys() - before.keys()))
            removed = tuple(sorted(before.keys() - now.keys()))
            modified = tuple(sorted(k for k in now.keys() & before.keys() if now[k] != before[k]))
            number = newest.version + 1 if newest else 1
            _end(transaction, connection_id, (*removed, *modified), number)
            written = (*added, *modified)
            _store_contents(transaction, {now[key]: contents[key] for key in written})
            _start(transaction, connection_id, {key: now[key] for key in written}, number)
            row = transaction.execute(
                sa.insert(snapshots)
                .values(
                    connection_id=connection_id,
                    version=number,
                    fingerprint=fingerprint,
                    dialect=snapshot.dialect,
                    database_name=snapshot.database_name,
                    server_version=snapshot.server_version,
                    unknown_facts=list(snapshot.unknown),
                    table_count=len(snapshot.tables),
                    column_count=snapshot.column_count,
                )
                .returning(snapshots)
            ).one()
            previous = newest.version if newest else None
            return SavedSnapshot(_version(row), previous, added, removed, modified)

    def newest(self, connection_id: str) -> SnapshotVersion | None:
        """The newest version of the connection, or None if it was never read."""
        with self._database.begin() as transaction:
            return _newest(transaction, connection_id)

    def version_at(self, connection_id: str, moment: datetime) -> SnapshotVersion | None:
        """The version that was newest at `moment`, or None if there was none yet."""
        query = (
            sa.select(snapshots)
            .where(snapshots.c.connection_id == connection_id, snapshots.c.taken_at <= moment)
            .order_by(snapshots.c.version.desc())
            .limit(1)
        )
        with self._database.begin() as transaction:
            row = transaction.execute(query).one_or_none()
        return _version(row) if row else None

    def load_newest(self, connection_id: str) -> tuple[SnapshotVersion, Snapshot]:
        """The newest version and its snapshot; raises UnknownConnection if it was never read."""
        newest = self.newest(connection_id)
        if newest is None:
            raise UnknownConnection(
                f"Connection {connection_id} was never read. Run schema_import_job for it."
            )
        return newest, self.load(connection_id, newest.version)

    def load(self, connection_id: str, version: int) -> Snapshot:
        """The snapshot of that version; raises UnknownConnection if there is none."""
        with self._database.begin() as transaction:
            head = transaction.execute(
                sa.select(snapshots).where(
                    snapshots.c.connection_id == connection_id, snapshots.c.version == version
                )
            ).one_or_none()
            if head is None:
                raise UnknownConnection(
                    f"Connection {connection_id} has no stored snapshot of version {version}."
                )
            objects = _objects_of(transaction, connection_id, version)
        return snapshot_of(
            objects,
            dialect=head.dialect,
            database_name=head.database_name,
            server_version=head.server_version,
            unknown=tuple(head.unknown_facts),
        )


def _lock(transaction: sa.Connection, connection_id: str) -> None:
    """Let one save of a connection run at a time; released at the transaction's end."""
    transaction.execute(
        sa.text("select pg_advisory_xact_lock(hashtextextended('twd.snapshots:' || :id, 0))"),
        {"id": connection_id},
    )


def _newest(transaction: sa.Connection, connection_id: str) -> SnapshotVersion | None:
    row = transaction.execute(
        sa.select(snapshots)
        .where(snapshots.c.connection_id == connection_id)
        .order_by(snapshots.c.version.desc())
        .limit(1)
    ).one_or_none()
    return _version(row) if row else None


def _current_fingerprints(transaction: sa.Connection, connection_id: str) -> dict[ObjectKey, str]:
    rows = transaction.execute(
        sa.select(snapshot_objects).where(
            snapshot_objects.c.connection_id == connection_id,
            snapshot_objects.c.to_version.is_(None),
        )
    )
    return {(row.kind, row.schema_name, row.object_name): row.fingerprint for row in rows}


def _end(
    transaction: sa.Connection, connection_id: str, keys: Sequence[ObjectKey], version: int
) -> None:
    if not keys:
        return
    table = snapshot_objects
    transaction.execute(
        sa.update(table)
        .where(
            table.c.connection_id == connection_id,
            table.c.to_version.is_(None),
            table.c.kind == sa.bindparam("of_kind"),
            table.c.schema_name == sa.bindparam("of_schema"),
            table.c.object_name == sa.bindparam("of_name"),
        )
        .values(to_version=version),
        [{"of_kind": kind, "of_schema": schema, "of_name": name} for kind, schema, name in keys],
    )


def _store_contents(transaction: sa.Connection, contents: dict[str, SchemaObject]) -> None:
    if not contents:
        return
    # The text is cast on the server: the driver would decode and encode every body once more.
    statement = insert(schema_objects).values(
        fingerprint=sa.bindparam("fingerprint"),
        kind=sa.bindparam("kind"),
        body=sa.cast(sa.bindparam("body", type_=sa.Text), schema_objects.c.body.type),
    )
    transaction.execute(
        statement.on_conflict_do_nothing(),
        [
            {"fingerprint": fingerprint, "kind": key_of(item)[0], "body": encode(item).decode()}
            for fingerprint, item in contents.items()
        ],
    )


def _start(
    transaction: sa.Connection, connection_id: str, written: dict[ObjectKey, str], version: int
) -> None:
    if not written:
        return
    transaction.execute(
        sa.insert(snapshot_objects),
        [
            {
                "connection_id": connection_id,
                "kind": kind,
                "schema_name": schema,
                "object_name": name,
                "from_version": version,
                "fingerprint": fingerprint,
            }
            for (kind, schema, name), fingerprint in written.items()
        ],
    )


def _objects_of(transaction: sa.Connection, connection_id: str, version: int) -> list[SchemaObject]:
    held = snapshot_objects
    rows = transaction.execute(
        sa.select(sa.cast(schema_objects.c.body, sa.Text))
        .join(held, held.c.fingerprint == schema_objects.c.fingerprint)
        .where(
            held.c.connection_id == connection_id,
            held.c.from_version <= version,
            held.c.to_version.is_(None) | (held.c.to_version > version),
        )
    )
    return sorted((decode_object(row[0]) for row in rows), key=key_of)


def _is(version: SnapshotVersion) -> sa.ColumnElement[bool]:
    return sa.and_(
        snapshots.c.connection_id == version.connection_id,
        snapshots.c.version == version.version,
    )


def _version(row: Any) -> SnapshotVersion:
    return SnapshotVersion(
        connection_id=row.connection_id,
        version=row.version,
        fingerprint=row.fingerprint,
        table_count=row.table_count,
        column_count=row.column_count,
        taken_at=row.taken_at,
        confirmed_at=row.confirmed_at,
    )
