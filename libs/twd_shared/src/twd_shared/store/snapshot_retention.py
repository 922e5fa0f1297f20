"""Forgetting old versions, so that what is kept still says exactly what was true when.

A row of `twd.snapshot_objects` only spans versions that are kept: where versions are forgotten it
is cut, or split in two. So no moment of a forgotten version shows half a schema.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from twd_shared.store.renames import forget_renames
from twd_shared.store.snapshot_locks import lock_contents
from twd_shared.store.sync_tables import (
    breaking_changes,
    index_origins,
    renames,
    source_checks,
    table_identities,
)
from twd_shared.store.tables import (
    connections,
    descriptions,
    index_states,
    model_versions,
    schema_diffs,
    schema_objects,
    snapshot_objects,
    snapshots,
    table_documentation,
    table_statistics,
    training_items,
)

_HISTORY = (
    snapshots,
    table_statistics,
    descriptions,
    schema_diffs,
    breaking_changes,
    renames,
    table_identities,
    # Of a connection that was paused before it went.
    training_items,
    # Of a run that was going on when it was taken out.
    table_documentation,
    source_checks,
    index_origins,
)


def forget_versions(
    transaction: sa.Connection, connection_id: str, before: datetime
) -> tuple[int, ...]:
    """Forget what ended before that moment and nothing needs; gives the forgotten versions.

    The transaction must hold the lock of the connection's history.
    """
    versions = transaction.execute(
        sa.select(snapshots.c.version, snapshots.c.ended_at)
        .where(snapshots.c.connection_id == connection_id)
        .order_by(snapshots.c.version)
    ).all()
    needed = _still_read(transaction, connection_id)
    forgotten = tuple(
        version
        for version, ended_at in versions
        if ended_at is not None and ended_at < before and version not in needed
    )
    if not forgotten:
        return ()
    transaction.execute(
        sa.delete(snapshots).where(
            snapshots.c.connection_id == connection_id, snapshots.c.version.in_(forgotten)
        )
    )
    gone = set(forgotten)
    kept = [version for version, _ in versions if version not in gone]
    unused: set[str] = set()
    for first, until in sorted({_gap(version, kept) for version in forgotten}):
        unused |= _cut_out(transaction, connection_id, first, until)
    _delete_unused(transaction, unused)
    # Those between forgotten versions stay: what is kept on both sides is still compared.
    forget_renames(transaction, connection_id, kept[0])
    return forgotten


def gone_since(transaction: sa.Connection, before: datetime) -> list[str]:
    """Ids of connections that the application has not listed since, and that have a history."""
    return list(transaction.execute(_gone(before)).scalars())


def forget_connection(transaction: sa.Connection, connection_id: str, before: datetime) -> bool:
    """Forget all of a connection's history if it is gone since; whether it was.

    Its row stays, so that nobody gets its partition key. The transaction must hold the lock of the
    connection's history.
    """
    # Until the history is forgotten, nobody registers it again.
    query = _gone(before).where(connections.c.connection_id == connection_id)
    if transaction.execute(query.with_for_update(key_share=True)).one_or_none() is None:
        return False
    held = snapshot_objects
    unused = set(
        transaction.execute(
            sa.delete(held)
            .where(held.c.connection_id == connection_id)
            .returning(held.c.fingerprint)
        ).scalars()
    )
    for table in _HISTORY:
        transaction.execute(sa.delete(table).where(table.c.connection_id == connection_id))
    _delete_unused(transaction, unused)
    return True


def _gone(before: datetime) -> sa.Select[tuple[str]]:
    return sa.select(connections.c.connection_id).where(
        ~connections.c.is_active,
        connections.c.last_seen_at < before,
        sa.exists().where(snapshots.c.connection_id == connections.c.connection_id),
    )


def _still_read(transaction: sa.Connection, connection_id: str) -> set[int]:
    """Versions that a later step loads: to compare with, or to make questions of."""
    no_collections = sa.literal({}, model_versions.c.collections.type)
    query = sa.union(
        sa.select(index_states.c.snapshot_version).where(
            index_states.c.connection_id == connection_id
        ),
        sa.select(sa.func.max(schema_diffs.c.to_version)).where(
            schema_diffs.c.connection_id == connection_id
        ),
        sa.select(model_versions.c.snapshot_version).where(
            model_versions.c.connection_id == connection_id,
            model_versions.c.is_live | (model_versions.c.collections != no_collections),
        ),
        # What is in quarantine is judged by when it was right.
        sa.select(training_items.c.accepted_version).where(
            training_items.c.connection_id == connection_id,
            training_items.c.quarantined_since.is_not(None),
        ),
    )
    return set(transaction.execute(query).scalars())


def _gap(version: int, kept: Sequence[int]) -> tuple[int, int]:
    """The run of versions that are not kept around this one: the first, and the next one kept."""
    place = bisect(kept, version)
    return (kept[place - 1] + 1 if place else 1, kept[place])


def _cut_out(transaction: sa.Connection, connection_id: str, first: int, until: int) -> set[str]:
    """Take the versions from `first` until before `until` out of the rows.

    Gives the contents of the rows that went with them.
    """
    held = snapshot_objects
    of_connection = held.c.connection_id == connection_id
    before = held.c.from_version < first
    reaches = held.c.to_version.is_(None) | (held.c.to_version > until)
    # What was there before and is there behind goes on in a row of its own.
    transaction.execute(
        sa.insert(held).from_select(
            list(held.c),
            sa.select(
                *(
                    sa.literal(until) if column is held.c.from_version else column
                    for column in held.c
                )
            ).where(of_connection, before, reaches),
        )
    )
    transaction.execute(
        sa.update(held)
        .where(of_connection, before, held.c.to_version.is_(None) | (held.c.to_version > first))
        .values(to_version=first)
    )
    inside = held.c.from_version.between(first, until - 1)
    transaction.execute(
        sa.update(held).where(of_connection, inside, reaches).values(from_version=until)
    )
    return set(
        transaction.execute(
            sa.delete(held).where(of_connection, inside).returning(held.c.fingerprint)
        ).scalars()
    )


def _delete_unused(transaction: sa.Connection, fingerprints: Collection[str]) -> None:
    """Delete those of the contents that no version of any connection uses."""
    lock_contents(transaction)
    transaction.execute(
        sa.delete(schema_objects).where(
            schema_objects.c.fingerprint
            == sa.any_(sa.literal(list(fingerprints), sa.ARRAY(sa.Text))),
            ~sa.exists().where(snapshot_objects.c.fingerprint == schema_objects.c.fingerprint),
        )
    )
