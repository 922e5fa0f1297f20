"""Snapshots with full history: immutable versions, contents stored once, unchanged ones free."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import sqlalchemy as sa

from twd_shared.errors import UnknownConnection
from twd_shared.schema_model.fingerprint import (
    fingerprints_of,
    objects_by_key,
    snapshot_fingerprint,
)
from twd_shared.schema_model.identities import left_out
from twd_shared.schema_model.models import ObjectKey, Snapshot, TableStatistics, snapshot_of
from twd_shared.schema_model.renames import Renames
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.renames import record_identities, renames_of
from twd_shared.store.snapshot_contents import (
    DecodedObjects,
    current_fingerprints,
    end_objects,
    objects_of,
    start_objects,
)
from twd_shared.store.snapshot_locks import lock_history, share_contents
from twd_shared.store.snapshot_retention import forget_connection, forget_versions, gone_since
from twd_shared.store.snapshot_versions import (
    SnapshotVersion,
    add_version,
    all_versions,
    confirm_version,
    newest_version,
)
from twd_shared.store.table_identities import read_identities
from twd_shared.store.table_statistics import read_statistics, write_statistics
from twd_shared.store.tables import snapshots


@dataclass(frozen=True, slots=True)
class SavedSnapshot:
    """What a save did: the version that now is newest and the objects that it changed."""

    version: SnapshotVersion
    previous: int | None
    added: tuple[ObjectKey, ...]
    removed: tuple[ObjectKey, ...]
    modified: tuple[ObjectKey, ...]


class HistoryMovedOn(Exception):
    """Another reading was saved while this one was made: this one may be the older of the two."""


class ObjectChange(NamedTuple):
    """What happened to an object from one version to another."""

    key: ObjectKey
    change: Literal["added", "removed", "modified"]


class SnapshotStore:
    """The history of each connection's schema, and the statistics of its last reading."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database
        self._decoded = DecodedObjects()

    def save(
        self,
        connection_id: str,
        snapshot: Snapshot,
        unconfirmed: Collection[ObjectKey] = (),
        after: int | None = None,
    ) -> SavedSnapshot:
        """Store the snapshot as a new version, or confirm the newest one if nothing changed.

        `unconfirmed` are objects of the snapshot that were carried over from the version before,
        because the reading could not tell whether they are gone. `after` is the version that was
        newest before the reading, 0 = none; raises HistoryMovedOn if it no longer is, and the
        snapshot is another than the newest.
        """
        objects = objects_by_key(snapshot)
        now = fingerprints_of(objects)
        fingerprint = snapshot_fingerprint(now)
        self._decoded.keep(dict(zip(now.values(), objects.values(), strict=True)))
        with self._database.begin() as transaction:
            lock_history(transaction, connection_id)
            write_statistics(transaction, connection_id, snapshot.statistics)
            newest = newest_version(transaction, connection_id)
            if newest is not None and newest.fingerprint == fingerprint:
                record_identities(
                    transaction,
                    connection_id,
                    snapshot.identities,
                    before=now,
                    now=now,
                    unconfirmed=unconfirmed,
                    previous=newest.version,
                    version=newest.version,
                )
                confirmed = confirm_version(transaction, newest, snapshot, unconfirmed)
                return SavedSnapshot(confirmed, newest.version, (), (), ())
            if after is not None and after != (newest.version if newest else 0):
                raise HistoryMovedOn
            before = current_fingerprints(transaction, connection_id)
            added = tuple(sorted(now.keys() - before.keys()))
            removed = tuple(sorted(before.keys() - now.keys()))
            modified = tuple(sorted(k for k in now.keys() & before.keys() if now[k] != before[k]))
            number = newest.version + 1 if newest else 1
            share_contents(transaction)
            end_objects(transaction, connection_id, (*removed, *modified), number)
            written = {key: objects[key] for key in (*added, *modified)}
            start_objects(transaction, connection_id, written, now, number)
            version = add_version(
                transaction, connection_id, number, snapshot, fingerprint, unconfirmed
            )
            previous = newest.version if newest else None
            record_identities(
                transaction,
                connection_id,
                snapshot.identities,
                before=before,
                now=now,
                unconfirmed=unconfirmed,
                previous=previous or 0,
                version=number,
            )
            return SavedSnapshot(version, previous, added, removed, modified)

    def versions(self, connection_id: str) -> list[SnapshotVersion]:
        """The connection's versions that are kept, newest first."""
        with self._database.begin() as transaction:
            return all_versions(transaction, connection_id)

    def newest(self, connection_id: str) -> SnapshotVersion | None:
        """The newest version of the connection, or None if it was never read."""
        with self._database.begin() as transaction:
            return newest_version(transaction, connection_id)

    def load_newest(self, connection_id: str) -> tuple[SnapshotVersion, Snapshot]:
        """The newest version and its snapshot; raises UnknownConnection if it was never read."""
        with self._database.read() as transaction:
            newest = newest_version(transaction, connection_id)
            if newest is None:
                raise UnknownConnection(
                    f"Connection {connection_id} was never read. Run schema_import_job for it."
                )
            return newest, self._load(transaction, connection_id, newest.version)

    def load(self, connection_id: str, version: int) -> Snapshot:
        """The snapshot of that version, without statistics; raises UnknownConnection if none is."""
        with self._database.read() as transaction:
            return self._load(transaction, connection_id, version)

    def changed_objects(
        self, connection_id: str, from_version: int, to_version: int
    ) -> list[ObjectChange]:
        """What differs between two versions, by key; version 0 is the empty schema before all.

        Raises UnknownConnection if one of them is not stored.
        """
        with self._database.read() as transaction:
            for version in (from_version, to_version):
                if version:
                    _head(transaction, connection_id, version)
            rows = transaction.execute(
                sa.text(
                    "select kind, schema_name, object_name, change"
                    " from twd.schema_changes(:connection_id, :from_version, :to_version)"
                ),
                {
                    "connection_id": connection_id,
                    "from_version": from_version,
                    "to_version": to_version,
                },
            ).all()
        return sorted(
            ObjectChange((kind, schema, name), change) for kind, schema, name, change in rows
        )

    def renames(self, connection_id: str, from_version: int, to_version: int) -> Renames:
        """What is called otherwise in `to_version` than in the earlier one, by the server's ids.

        A chain of renames is one, and one that was taken back is none.
        """
        with self._database.read() as transaction:
            return renames_of(transaction, connection_id, from_version, to_version)

    def left_out(self, connection_id: str) -> set[tuple[str, str]]:
        """(schema, name) of partitions that the newest reading saw and that are not wanted."""
        with self._database.read() as transaction:
            stored = read_identities(transaction, connection_id)
            known = current_fingerprints(transaction, connection_id)
        objects = stored.objects() if stored else ()
        found = left_out((item.identity for item in objects), known)
        return {(item.schema, item.name) for item in found}

    def known_objects(self, connection_id: str) -> dict[ObjectKey, str]:
        """Fingerprint of each object of the newest version, by key; empty if it was never read."""
        with self._database.begin() as transaction:
            return current_fingerprints(transaction, connection_id)

    def statistics(self, connection_id: str) -> tuple[TableStatistics, ...]:
        """What the last reading said of the tables, by schema and table; empty = nothing."""
        with self._database.begin() as transaction:
            return read_statistics(transaction, connection_id)

    def prune(self, connection_id: str, before: datetime) -> tuple[int, ...]:
        """Forget the versions that ended before that moment; gives which they were.

        The newest remains, and those that the schema index, the diffs, a knowledge base or an item
        in quarantine still stand on. Contents that no connection uses any more are deleted.
        """
        with self._database.begin() as transaction:
            lock_history(transaction, connection_id)
            return forget_versions(transaction, connection_id, before)

    def forget_gone(self, before: datetime) -> list[str]:
        """Forget the history of connections that were last listed before that moment.

        Gives their ids. One that is active, or paused and still listed, keeps its history; so does
        one that is listed again meanwhile.
        """
        with self._database.begin() as transaction:
            gone = gone_since(transaction, before)
        forgotten: list[str] = []
        for connection_id in gone:
            with self._database.begin() as transaction:
                lock_history(transaction, connection_id)
                if forget_connection(transaction, connection_id, before):
                    forgotten.append(connection_id)
        return forgotten

    def _load(self, transaction: sa.Connection, connection_id: str, version: int) -> Snapshot:
        head = _head(transaction, connection_id, version)
        return snapshot_of(
            objects_of(transaction, connection_id, version, self._decoded),
            dialect=head.dialect,
            database_name=head.database_name,
            server_version=head.server_version,
            unknown=tuple(head.unknown_facts),
        )


def _head(
    transaction: sa.Connection, connection_id: str, version: int
) -> sa.Row[tuple[object, ...]]:
    head = transaction.execute(
        sa.select(snapshots).where(
            snapshots.c.connection_id == connection_id, snapshots.c.version == version
        )
    ).one_or_none()
    if head is None:
        raise UnknownConnection(
            f"Connection {connection_id} has no stored snapshot of version {version}: it was never "
            "taken, or retention has removed it. twd.snapshots lists the versions that are kept."
        )
    return head
