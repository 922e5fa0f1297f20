"""Rows of `twd.training_items` and `twd.training_readings`: one connection's set at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.locks import take_lock
from twd_shared.store.rows import of_row
from twd_shared.store.tables import generated_sql, training_items, training_readings
from twd_training.examples.models import TrainingItem

_WRITTEN = (
    "kind",
    "question",
    "content",
    "content_hash",
    "tables",
    "accepted",
    "reason",
    "names",
    "accepted_version",
    "quarantined_since",
    "proposal",
    "source",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replacement did, in items: first by what happened, then by how they stand now."""

    added: int
    unchanged: int
    updated: int
    removed: int
    rejected: int
    quarantined: int
    restored: int


@dataclass(frozen=True, slots=True)
class Edit:
    """A connection's set while it is held: `before` is what is stored, by id."""

    transaction: sa.Connection
    connection_id: str
    before: Mapping[UUID, TrainingItem]

    def replace(self, version: int, items: Sequence[TrainingItem], marker: str) -> Outcome:
        """Make `items`, judged by snapshot `version`, the connection's whole set.

        `marker` is kept with it, so that a change is noticed against what is really stored.
        """
        before, now = self.before, {item.item_id: item for item in items}
        changed = [item for key, item in now.items() if _differs(item, before.get(key))]
        removed = before.keys() - now.keys()
        _write(self.transaction, self.connection_id, version, changed)
        rows = training_items.c
        of_connection = rows.connection_id == self.connection_id
        if removed:
            self.transaction.execute(
                sa.delete(training_items).where(of_connection, rows.item_id.in_(removed))
            )
        # Not of `removed` alone: an evaluation that is running may still write of one gone before.
        written = generated_sql.c
        self.transaction.execute(
            sa.delete(generated_sql).where(
                written.connection_id == self.connection_id,
                written.item_id.not_in(sa.select(rows.item_id).where(of_connection)),
            )
        )
        # Accepted, or only not because an earlier one says the same.
        is_right = rows.accepted_version.is_not(None) & rows.quarantined_since.is_(None)
        self.transaction.execute(
            sa.update(training_items)
            .where(of_connection, rows.snapshot_version != version)
            .values(
                snapshot_version=version,
                accepted_version=sa.case((is_right, version), else_=rows.accepted_version),
            )
        )
        _record(self.transaction, self.connection_id, marker, len(now))
        added = len(now.keys() - before.keys())
        return Outcome(
            added=added,
            unchanged=len(now) - len(changed),
            updated=len(changed) - added,
            removed=len(removed),
            rejected=sum(not (item.accepted or item.is_quarantined) for item in items),
            quarantined=sum(item.is_quarantined for item in items),
            restored=sum(
                item.accepted and before[item.item_id].is_quarantined
                for item in items
                if item.item_id in before
            ),
        )


class TrainingSet:
    """The training items of each connection."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    @contextmanager
    def editing(self, connection_id: str) -> Iterator[Edit]:
        """Hold a connection's set alone; what is written is committed at the end, all or nothing.

        Two runs of a connection must not mix their sets.
        """
        with self._database.begin() as transaction:
            take_lock(transaction, f"twd.training:{connection_id}")
            yield Edit(transaction, connection_id, _stored(transaction, connection_id))

    def accepted(self, connection_id: str) -> list[TrainingItem]:
        """The accepted items of a connection, in a fixed order."""
        with self._database.begin() as transaction:
            stored = _stored(transaction, connection_id).values()
        return sorted((item for item in stored if item.accepted), key=lambda item: item.item_id)

    def has_taught(self) -> bool:
        """Whether any item of any connection is one that a user wrote."""
        query = sa.select(sa.exists().where(training_items.c.source == "user"))
        with self._database.begin() as transaction:
            return transaction.execute(query).scalar_one()

    def judged_by(self, connection_id: str) -> int:
        """The oldest snapshot version that an item of the connection was judged by; 0 = none is."""
        query = sa.select(sa.func.min(training_items.c.snapshot_version)).where(
            training_items.c.connection_id == connection_id
        )
        with self._database.begin() as transaction:
            return transaction.execute(query).scalar_one() or 0

    def marker(self, connection_id: str) -> str:
        """Marker of what the set holds of a connection; empty if nothing was ever read."""
        query = sa.select(training_readings.c.marker).where(
            training_readings.c.connection_id == connection_id
        )
        with self._database.begin() as transaction:
            return transaction.execute(query).scalar_one_or_none() or ""

    def mark_published(self, connection_id: str, marker: str | None) -> None:
        """Record that the knowledge base holds what the set held under `marker`.

        None = it does not hold what the set does, which asks for a training.
        """
        with self._database.begin() as transaction:
            transaction.execute(
                sa.update(training_readings)
                .where(training_readings.c.connection_id == connection_id)
                .values(published_marker=marker)
            )

    def published_markers(self) -> dict[str, str | None]:
        """By connection id: the marker that is published, None where none is yet."""
        with self._database.begin() as transaction:
            return {
                row.connection_id: row.published_marker
                for row in transaction.execute(sa.select(training_readings))
            }

    def withdraw(self, connection_id: str) -> None:
        """Forget that a connection's set is published, and what models wrote for its items.

        The items stay, with what each change of the schema did to them.
        """
        self._delete(connection_id, generated_sql, training_readings)

    def delete(self, connection_id: str) -> None:
        """Remove a connection's items, and all that stands with them."""
        self._delete(connection_id, generated_sql, training_readings, training_items)

    def _delete(self, connection_id: str, *tables: sa.Table) -> None:
        with self._database.begin() as transaction:
            for table in tables:
                transaction.execute(sa.delete(table).where(table.c.connection_id == connection_id))


def _stored(transaction: sa.Connection, connection_id: str) -> dict[UUID, TrainingItem]:
    query = sa.select(training_items).where(training_items.c.connection_id == connection_id)
    return {
        row.item_id: of_row(TrainingItem, row, tables=tuple(row.tables), names=tuple(row.names))
        for row in transaction.execute(query)
    }


def _differs(item: TrainingItem, stored: TrainingItem | None) -> bool:
    if stored is None:
        return True
    # That it still fits a newer snapshot is no news of it; that it ever fitted one is.
    was_right, is_right = (one.accepted_version is not None for one in (stored, item))
    return was_right != is_right or item != replace(stored, accepted_version=item.accepted_version)


def _write(
    transaction: sa.Connection, connection_id: str, version: int, items: Sequence[TrainingItem]
) -> None:
    if not items:
        return
    statement = insert(training_items)
    transaction.execute(
        statement.on_conflict_do_update(
            index_elements=list(training_items.primary_key),
            set_={name: statement.excluded[name] for name in _WRITTEN}
            | {"updated_at": sa.func.now()},
        ),
        [
            {
                "connection_id": connection_id,
                "item_id": item.item_id,
                "snapshot_version": version,
                **{name: getattr(item, name) for name in _WRITTEN},
            }
            for item in items
        ],
    )


def _record(transaction: sa.Connection, connection_id: str, marker: str, count: int) -> None:
    values = {"marker": marker, "item_count": count}
    transaction.execute(
        insert(training_readings)
        .values(connection_id=connection_id, **values)
        .on_conflict_do_update(
            index_elements=[training_readings.c.connection_id],
            set_={**values, "read_at": sa.func.now()},
        )
    )
