"""Rows of `twd.model_versions`: which knowledge bases were published, and which one is live."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import model_versions


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a connection's knowledge base; `collections` maps alias to collection.

    An empty `collections` means that the version is no longer kept in Qdrant.
    """

    connection_id: str
    version: int
    snapshot_version: int
    content_hash: str
    model: str
    model_digest: str
    dimension: int
    ddl_count: int
    documentation_count: int
    question_sql_count: int
    collections: dict[str, str]
    is_live: bool = True


class ModelVersions:
    """The history of knowledge bases."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    @contextmanager
    def exclusive(self, connection_id: str, wait: bool = True) -> Iterator[bool]:
        """Hold a connection's knowledge base alone; False if another has it and `wait` is off."""
        function = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
        key = "hashtextextended('twd.knowledge_base:' || :id, 0)"
        with self._database.begin() as transaction:
            answer = transaction.execute(
                sa.text(f"select {function}({key})"),
                {"id": connection_id},
            ).scalar_one()
            yield wait or bool(answer)

    def kept(self, connection_id: str) -> dict[int, ModelVersion]:
        """The versions of a connection whose collections are kept, by number."""
        query = sa.select(model_versions).where(
            model_versions.c.connection_id == connection_id,
            model_versions.c.collections != sa.literal({}, model_versions.c.collections.type),
        )
        with self._database.begin() as transaction:
            rows = transaction.execute(query).mappings().all()
        return {
            row["version"]: ModelVersion(**{name: row[name] for name in ModelVersion.__slots__})
            for row in rows
        }

    def live(self, connection_id: str) -> ModelVersion | None:
        """The version that readers are served, or None."""
        kept = self.kept(connection_id).values()
        return next((version for version in kept if version.is_live), None)

    def newest_number(self, connection_id: str) -> int:
        """The highest version number ever recorded; 0 if there is none."""
        query = sa.select(sa.func.max(model_versions.c.version)).where(
            model_versions.c.connection_id == connection_id
        )
        with self._database.begin() as transaction:
            return transaction.execute(query).scalar_one() or 0

    def live_snapshots(self) -> dict[str, int]:
        """Snapshot version of the live knowledge base, by connection id."""
        query = sa.select(model_versions).where(model_versions.c.is_live)
        with self._database.begin() as transaction:
            return {row.connection_id: row.snapshot_version for row in transaction.execute(query)}

    def record_live(self, version: ModelVersion) -> None:
        """Write the row of a version that is served now, and mark no other as live."""
        with self._database.begin() as transaction:
            _mark_live(transaction, version.connection_id, None)
            transaction.execute(sa.insert(model_versions).values(**asdict(version)))

    def make_live(self, connection_id: str, number: int | None) -> None:
        """Mark one version as the live one and no other; None = none is."""
        with self._database.begin() as transaction:
            _mark_live(transaction, connection_id, number)

    def confirm(self, connection_id: str, number: int, snapshot_version: int) -> None:
        """Record that a version still holds for a newer snapshot."""
        self._update(connection_id, [number], snapshot_version=snapshot_version)

    def forget_collections(self, connection_id: str, numbers: Collection[int]) -> None:
        """Record that versions are no longer kept in Qdrant; their rows stay as history."""
        self._update(connection_id, numbers, collections={})

    def _update(
        self, connection_id: str, numbers: Collection[int], **values: int | dict[str, str]
    ) -> None:
        table = model_versions
        with self._database.begin() as transaction:
            transaction.execute(
                sa.update(table)
                .where(table.c.connection_id == connection_id, table.c.version.in_(numbers))
                .values(**values)
            )


def _mark_live(transaction: sa.Connection, connection_id: str, number: int | None) -> None:
    table = model_versions
    is_live = sa.literal(False) if number is None else table.c.version == number
    transaction.execute(
        sa.update(table).where(table.c.connection_id == connection_id).values(is_live=is_live)
    )
