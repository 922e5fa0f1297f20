"""Rows of `twd.model_versions`: which knowledge bases were made, which is live, which is held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.held_lock import HeldLock
from twd_shared.store.locks import take_lock
from twd_shared.store.rows import of_row
from twd_shared.store.tables import model_servings, model_versions

NOT_YET_SERVED = "It was found good and is to be served; the run that would do so has not done it."
"""Why a version is held from when it is recorded until it is served: a moment, unless killed."""


def model_name(model: str, digest: str) -> str:
    """A model as it is at one moment: a name may be given to another one."""
    return f"{model}@{digest}"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a connection's knowledge base; `collections` maps alias to collection.

    An empty `collections` means that the version is no longer kept in Qdrant. `held_reason` says
    why it is not served, '' = it is or was; `comparison` is what its gate found, None = nothing.
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
    is_live: bool = False
    held_reason: str = ""
    comparison: dict[str, Any] | None = None

    @property
    def is_held(self) -> bool:
        """Whether it waits beside the live version: for a person, or to be served next."""
        return bool(self.held_reason) and not self.is_live


class ModelVersions:
    """The history of knowledge bases."""

    def __init__(
        self, database: MetadataDatabase, still_held: Callable[[], None] = lambda: None
    ) -> None:
        """Read and write through `database`; `still_held` is called before each change.

        Whoever changes something gives that of the lock of `exclusive`.
        """
        self._database = database
        self._still_held = still_held

    @contextmanager
    def exclusive(self, connection_id: str) -> Iterator[HeldLock]:
        """Hold a connection's knowledge base alone."""
        with self._database.begin() as transaction:
            take_lock(transaction, _lock_of(connection_id))
            yield HeldLock(transaction, "knowledge base")

    @contextmanager
    def exclusive_at_once(self, connection_id: str) -> Iterator[HeldLock | None]:
        """The same without waiting: None if another has it."""
        with self._database.begin() as transaction:
            free = take_lock(transaction, _lock_of(connection_id), wait=False)
            yield HeldLock(transaction, "knowledge base") if free else None

    def kept(self, connection_id: str) -> dict[int, ModelVersion]:
        """The versions of a connection whose collections are kept, by number."""
        query = sa.select(model_versions).where(
            model_versions.c.connection_id == connection_id,
            model_versions.c.collections != sa.literal({}, model_versions.c.collections.type),
        )
        with self._database.begin() as transaction:
            rows = transaction.execute(query).all()
        return {row.version: of_row(ModelVersion, row) for row in rows}

    def live(self, connection_id: str) -> ModelVersion | None:
        """The version that readers are served, or None."""
        kept = self.kept(connection_id).values()
        return next((version for version in kept if version.is_live), None)

    def held(self, connection_id: str) -> ModelVersion | None:
        """The newest version that is kept and not served, or None."""
        held = [version for version in self.kept(connection_id).values() if version.is_held]
        return max(held, key=lambda version: version.version, default=None)

    def newest_number(self, connection_id: str) -> int:
        """The highest version number ever recorded; 0 if there is none."""
        query = sa.select(sa.func.max(model_versions.c.version)).where(
            model_versions.c.connection_id == connection_id
        )
        with self._database.begin() as transaction:
            return transaction.execute(query).scalar_one() or 0

    def trained_snapshots(self) -> dict[str, int]:
        """Newest snapshot version that was trained for, by connection id.

        A version that is held beside the live one counts: what it was made from was seen, and is
        not asked for again.
        """
        snapshots: dict[str, int] = {}
        for row in self._trained():
            newest = snapshots.get(row.connection_id, 0)
            snapshots[row.connection_id] = max(newest, row.snapshot_version)
        return snapshots

    def trained_models(self) -> dict[str, frozenset[str]]:
        """Models that were trained with, as `model_name` names them, by connection id.

        Those of the live version, and of one that is held beside it, as for the snapshots.
        """
        models: defaultdict[str, set[str]] = defaultdict(set)
        for row in self._trained():
            models[row.connection_id].add(model_name(row.model, row.model_digest))
        return {connection_id: frozenset(names) for connection_id, names in models.items()}

    def _trained(self) -> Sequence[sa.Row[Any]]:
        table = model_versions
        live = sa.alias(table)
        is_beside = (
            table.c.comparison["live_version"]
            .as_integer()
            .is_not_distinct_from(
                sa.select(live.c.version)
                .where(live.c.connection_id == table.c.connection_id, live.c.is_live)
                .scalar_subquery()
            )
        )
        # One that is only not yet served has to be asked for: its run was killed.
        is_held = table.c.held_reason.not_in(["", NOT_YET_SERVED]) & (
            table.c.collections != sa.literal({}, table.c.collections.type)
        )
        query = sa.select(
            table.c.connection_id, table.c.snapshot_version, table.c.model, table.c.model_digest
        ).where(table.c.is_live | (is_held & is_beside))
        with self._database.begin() as transaction:
            return transaction.execute(query).all()

    def live_collections(self) -> dict[str, dict[str, str]]:
        """Collection by alias of each live version, by connection id."""
        query = sa.select(model_versions.c.connection_id, model_versions.c.collections).where(
            model_versions.c.is_live
        )
        with self._database.begin() as transaction:
            return {row.connection_id: row.collections for row in transaction.execute(query)}

    def record(self, version: ModelVersion) -> None:
        """Write the row of a version that was just made."""
        self._still_held()
        with self._database.begin() as transaction:
            transaction.execute(sa.insert(model_versions).values(**asdict(version)))

    def make_live(self, connection_id: str, number: int | None) -> None:
        """Mark one version as the live one and no other; None = none is."""
        self._still_held()
        table = model_versions
        of_connection = table.c.connection_id == connection_id
        is_live = sa.literal(False) if number is None else table.c.version == number
        with self._database.begin() as transaction:
            transaction.execute(
                sa.update(table)
                .where(of_connection, table.c.version == number, table.c.held_reason != "")
                .values(held_reason="", published_at=sa.func.now())
            )
            transaction.execute(sa.update(table).where(of_connection).values(is_live=is_live))
            _record_serving(transaction, connection_id, number or 0)

    def hold(
        self, connection_id: str, number: int, reason: str, comparison: dict[str, Any]
    ) -> None:
        """Record why a version is not to be served."""
        self._update(connection_id, [number], held_reason=reason, comparison=comparison)

    def change_content(self, connection_id: str, number: int, content_hash: str) -> None:
        """Record that a version no longer holds what it was published with."""
        self._update(connection_id, [number], content_hash=content_hash)

    def count(self, connection_id: str, number: int, **counts: int) -> None:
        """Record how many documents of each part a version holds, by the name of the column."""
        self._update(connection_id, [number], **counts)

    def confirm(self, connection_id: str, number: int, snapshot_version: int) -> None:
        """Record that a version still holds for a newer snapshot."""
        self._update(connection_id, [number], snapshot_version=snapshot_version)

    def forget_collections(self, connection_id: str, numbers: Collection[int]) -> None:
        """Record that versions are no longer kept in Qdrant; their rows stay as history."""
        self._update(connection_id, numbers, collections={})

    def _update(self, connection_id: str, numbers: Collection[int], **values: Any) -> None:
        self._still_held()
        table = model_versions
        with self._database.begin() as transaction:
            transaction.execute(
                sa.update(table)
                .where(table.c.connection_id == connection_id, table.c.version.in_(numbers))
                .values(**values)
            )


def _lock_of(connection_id: str) -> str:
    return f"twd.knowledge_base:{connection_id}"


def _record_serving(transaction: sa.Connection, connection_id: str, version: int) -> None:
    """Record from when on the version is served (0 = none), unless it is already."""
    servings = model_servings
    newest = (
        sa.select(servings.c.version)
        .where(servings.c.connection_id == connection_id)
        .order_by(servings.c.serving_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    columns = ["connection_id", "version"]
    values = sa.select(sa.literal(connection_id), sa.literal(version)).where(
        sa.func.coalesce(newest, 0) != version
    )
    transaction.execute(sa.insert(servings).from_select(columns, values))
