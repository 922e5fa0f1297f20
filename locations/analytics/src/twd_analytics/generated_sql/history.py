"""Which version of a connection's schema, and of its knowledge base, was valid from when on."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from twd_analytics.messages.moments import NO_VERSION, Change
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import model_servings, snapshots

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


def schema_changes(database: MetadataDatabase) -> list[Change]:
    """Every kept version of every schema, from when it was read.

    The oldest one stands for the time before it too: of that time nothing better is known. Of the
    time of those that retention took from between two others none is known.
    """
    oldest = sa.func.min(snapshots.c.version).over(partition_by=snapshots.c.connection_id)
    following = sa.func.lead(snapshots.c.version).over(
        partition_by=snapshots.c.connection_id, order_by=snapshots.c.version
    )
    valid_from = sa.case(
        (snapshots.c.version == oldest, sa.literal(_ALWAYS)), else_=snapshots.c.taken_at
    )
    query = sa.select(
        snapshots.c.connection_id,
        valid_from.label("valid_from"),
        snapshots.c.version,
        snapshots.c.ended_at,
        following.label("following"),
    ).order_by(snapshots.c.version)
    changes: list[Change] = []
    with database.begin() as transaction:
        for row in transaction.execute(query):
            changes.append((row.connection_id, row.valid_from, row.version))
            if row.ended_at is not None and row.following != row.version + 1:
                changes.append((row.connection_id, row.ended_at, NO_VERSION))
    return changes


def model_changes(database: MetadataDatabase) -> list[Change]:
    """Every time that a knowledge base was served from then on, or taken back into service."""
    servings = model_servings.c
    query = sa.select(servings.connection_id, servings.served_from, servings.version)
    with database.begin() as transaction:
        rows = transaction.execute(query.order_by(servings.serving_id))
        return [(owner, moment, version) for owner, moment, version in rows]
