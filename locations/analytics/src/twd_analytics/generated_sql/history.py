"""Which version of a connection's schema, and of its knowledge base, was valid from when on."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from twd_analytics.messages.moments import Change
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import model_servings, snapshots

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


def schema_changes(database: MetadataDatabase) -> list[Change]:
    """Every kept version of every schema, from when it was read.

    The oldest one stands for the time before it too: of that time nothing better is known.
    """
    oldest = sa.func.min(snapshots.c.version).over(partition_by=snapshots.c.connection_id)
    valid_from = sa.case(
        (snapshots.c.version == oldest, sa.literal(_ALWAYS)), else_=snapshots.c.taken_at
    )
    query = sa.select(snapshots.c.connection_id, valid_from, snapshots.c.version)
    return _changes(database, query.order_by(snapshots.c.version))


def model_changes(database: MetadataDatabase) -> list[Change]:
    """Every time that a knowledge base was served from then on, or taken back into service."""
    servings = model_servings.c
    query = sa.select(servings.connection_id, servings.served_from, servings.version)
    return _changes(database, query.order_by(servings.serving_id))


def _changes(
    database: MetadataDatabase, query: sa.Select[tuple[str, datetime, int]]
) -> list[Change]:
    with database.begin() as transaction:
        return [(owner, moment, version) for owner, moment, version in transaction.execute(query)]
