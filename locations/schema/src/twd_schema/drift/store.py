"""Diffs as they were found, kept for the sync's report and for history."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_schema.drift.changes import SchemaDiff
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import schema_diffs


class DiffStore:
    """Rows of `twd.schema_diffs`."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def put(self, connection_id: str, diff: SchemaDiff) -> None:
        """Record a diff with changes; the same pair of versions again changes nothing."""
        if not diff.has_changes:
            return
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

    def last_found(self, connection_id: str, to_version: int) -> SchemaDiff | None:
        """The newest diff that led to that version, or None if nothing led to it."""
        query = (
            sa.select(schema_diffs)
            .where(
                schema_diffs.c.connection_id == connection_id,
                schema_diffs.c.to_version == to_version,
            )
            .order_by(schema_diffs.c.from_version.desc())
            .limit(1)
        )
        with self._database.begin() as transaction:
            row = transaction.execute(query).one_or_none()
        if row is None:
            return None
        return msgspec.convert(
            {
                "from_version": row.from_version,
                "to_version": row.to_version,
                "changes": row.changes,
            },
            type=SchemaDiff,
        )
