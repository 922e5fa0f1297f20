"""Diffs as they were found, kept for the sync's report and for history."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_schema.drift.changes import SchemaDiff
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import connections, index_states, schema_diffs, snapshots


class Synced(NamedTuple):
    """What the index holds of a connection: its schema's fingerprint, and whether of the newest.

    A sync that failed half-way stored a newer schema, and may have told of its changes.
    """

    fingerprint: str
    is_newest: bool


class DiffStore:
    """Rows of `twd.schema_diffs`."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def put(self, connection_id: str, diff: SchemaDiff) -> None:
        """Record a diff, also an empty one; the same pair of versions again changes nothing."""
        with self._database.begin() as transaction:
            transaction.execute(
                insert(schema_diffs)
                .values(
                    connection_id=connection_id,
                    from_version=diff.from_version,
                    to_version=diff.to_version,
                    changes=msgspec.to_builtins(diff.changes),
                    breaking_count=len(diff.breaking),
                )
                .on_conflict_do_nothing()
            )

    def last_version(self, connection_id: str) -> int | None:
        """The newest version up to which the connection's changes were told, or None."""
        query = sa.select(sa.func.max(schema_diffs.c.to_version)).where(
            schema_diffs.c.connection_id == connection_id
        )
        with self._database.begin() as transaction:
            return transaction.execute(query).scalar_one()

    def synced(self) -> dict[str, Synced]:
        """By connection id what the index holds, if its changes were told as well.

        An index that is ahead of the diff, or not complete, belongs to a run that failed in
        between: the connection counts as not synced, and is asked for again. So does one whose
        points tell a name that it no longer has.
        """
        told = sa.exists().where(
            schema_diffs.c.connection_id == index_states.c.connection_id,
            schema_diffs.c.to_version == index_states.c.snapshot_version,
        )
        later = snapshots.alias()
        is_newest = ~sa.exists().where(
            later.c.connection_id == snapshots.c.connection_id,
            later.c.version > snapshots.c.version,
        )
        query = (
            sa.select(index_states.c.connection_id, snapshots.c.fingerprint, is_newest)
            .join(
                snapshots,
                (snapshots.c.connection_id == index_states.c.connection_id)
                & (snapshots.c.version == index_states.c.snapshot_version),
            )
            .join(connections, connections.c.connection_id == index_states.c.connection_id)
            .where(
                told,
                index_states.c.is_complete,
                index_states.c.database_name.in_(["", connections.c.database_name]),
            )
        )
        with self._database.begin() as transaction:
            return {key: Synced(*held) for key, *held in transaction.execute(query)}
