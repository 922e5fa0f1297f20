"""Which version of a connection's schema, and of its knowledge base, was valid from when on."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from twd_analytics.messages.moments import Change
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import model_servings, snapshots


def schema_changes(database: MetadataDatabase) -> list[Change]:
    """Every kept version of every schema, from when it was read."""
    return _changes(
        database, sa.select(snapshots.c.connection_id, snapshots.c.taken_at, snapshots.c.version)
    )


def model_changes(database: MetadataDatabase) -> list[Change]:
    """Every time that a knowledge base was served from then on, or taken back into service."""
    servings = model_servings.c
    return _changes(
        database, sa.select(servings.connection_id, servings.served_from, servings.version)
    )


def _changes(
    database: MetadataDatabase, query: sa.Select[tuple[str, datetime, int]]
) -> list[Change]:
    with database.begin() as transaction:
        return [(owner, moment, version) for owner, moment, version in transaction.execute(query)]
