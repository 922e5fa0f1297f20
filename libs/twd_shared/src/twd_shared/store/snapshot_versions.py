"""Rows of `twd.snapshots`: which versions a connection has, and when each of them was true."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from twd_shared.schema_model.models import ObjectKey, Snapshot
from twd_shared.store.rows import of_row
from twd_shared.store.tables import snapshots


@dataclass(frozen=True, slots=True)
class SnapshotVersion:
    """One stored version: which it is, its fingerprint, its size and when it was true.

    It was newest from `taken_at` until before `ended_at`; None = it still is. `unconfirmed` are
    the objects of which its last reading could not tell whether they are gone.
    """

    connection_id: str
    version: int
    fingerprint: str
    table_count: int
    column_count: int
    taken_at: datetime
    confirmed_at: datetime
    ended_at: datetime | None
    unconfirmed: tuple[ObjectKey, ...]


def all_versions(transaction: sa.Connection, connection_id: str) -> list[SnapshotVersion]:
    """The connection's versions that are kept, newest first."""
    rows = transaction.execute(
        sa.select(snapshots)
        .where(snapshots.c.connection_id == connection_id)
        .order_by(snapshots.c.version.desc())
    )
    return [_version(row) for row in rows]


def newest_version(transaction: sa.Connection, connection_id: str) -> SnapshotVersion | None:
    """The newest version, or None if the connection was never read."""
    row = transaction.execute(
        sa.select(snapshots)
        .where(snapshots.c.connection_id == connection_id)
        .order_by(snapshots.c.version.desc())
        .limit(1)
    ).one_or_none()
    return _version(row) if row else None


def add_version(
    transaction: sa.Connection,
    connection_id: str,
    number: int,
    snapshot: Snapshot,
    fingerprint: str,
    unconfirmed: Collection[ObjectKey],
) -> SnapshotVersion:
    """Write the version of that number, and end the one before it at the same moment."""
    row = transaction.execute(
        sa.insert(snapshots)
        .values(
            connection_id=connection_id,
            version=number,
            fingerprint=fingerprint,
            table_count=len(snapshot.tables),
            column_count=snapshot.column_count,
            # now() is when the transaction began: before it waited for another save.
            taken_at=sa.func.clock_timestamp(),
            **_of_the_reading(snapshot, unconfirmed),
        )
        .returning(snapshots)
    ).one()
    transaction.execute(
        sa.update(snapshots).where(_is(connection_id, number - 1)).values(ended_at=row.taken_at)
    )
    return _version(row)


def confirm_version(
    transaction: sa.Connection,
    version: SnapshotVersion,
    snapshot: Snapshot,
    unconfirmed: Collection[ObjectKey],
) -> SnapshotVersion:
    """Record that a later reading found the same objects, and what that reading could tell."""
    row = transaction.execute(
        sa.update(snapshots)
        .where(_is(version.connection_id, version.version))
        .values(
            confirmed_at=sa.func.clock_timestamp(),
            **_of_the_reading(snapshot, unconfirmed),
        )
        .returning(snapshots)
    ).one()
    return _version(row)


def _of_the_reading(snapshot: Snapshot, unconfirmed: Collection[ObjectKey]) -> dict[str, Any]:
    return {
        "dialect": snapshot.dialect,
        "database_name": snapshot.database_name,
        "server_version": snapshot.server_version,
        "unknown_facts": list(snapshot.unknown),
        "unconfirmed": sorted(unconfirmed),
    }


def _is(connection_id: str, number: int) -> sa.ColumnElement[bool]:
    return sa.and_(snapshots.c.connection_id == connection_id, snapshots.c.version == number)


def _version(row: sa.Row[Any]) -> SnapshotVersion:
    unconfirmed = tuple((kind, schema, name) for kind, schema, name in row.unconfirmed)
    return of_row(SnapshotVersion, row, unconfirmed=unconfirmed)
