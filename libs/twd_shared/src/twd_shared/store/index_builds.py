"""Collections of the schema index as they were built: by which model, and how they compared."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.clients.index_collections import IndexCollection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import index_builds

Status = Literal["building", "refused", "served", "dropped"]


class IndexBuilds:
    """Rows of `twd.index_builds`; a name that stands here is never used again."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def names(self) -> list[str]:
        """The names of all collections that were ever built."""
        with self._database.begin() as transaction:
            return list(transaction.execute(sa.select(index_builds.c.collection)).scalars())

    def published(self) -> list[str]:
        """The names of all that were ever served, the last one first."""
        query = (
            sa.select(index_builds.c.collection)
            .where(index_builds.c.published_at.is_not(None))
            .order_by(index_builds.c.published_at.desc())
        )
        with self._database.begin() as transaction:
            return list(transaction.execute(query).scalars())

    def record(
        self, collection: IndexCollection, status: Status, report: dict[str, Any] | None = None
    ) -> None:
        """Say what has become of a collection; without a `report` the last one stays."""
        values: dict[str, Any] = {"status": status}
        if report is not None:
            values["report"] = report
        if status == "served":
            values["published_at"] = sa.func.now()
        model, model_digest, dimension, layout = collection.making
        with self._database.begin() as transaction:
            transaction.execute(
                insert(index_builds)
                .values(
                    collection=collection.name,
                    model=model,
                    model_digest=model_digest,
                    dimension=dimension,
                    layout=layout,
                    **values,
                )
                .on_conflict_do_update(index_elements=[index_builds.c.collection], set_=values)
            )

    def record_dropped(self, name: str) -> None:
        """Say that a collection is no longer kept, if it is known here."""
        with self._database.begin() as transaction:
            transaction.execute(
                sa.update(index_builds)
                .where(index_builds.c.collection == name)
                .values(status="dropped")
            )

    def status(self, name: str) -> Status | None:
        """What has become of a collection; None if it is not known here."""
        query = sa.select(index_builds.c.status).where(index_builds.c.collection == name)
        with self._database.begin() as transaction:
            return transaction.execute(query).scalar_one_or_none()

    def report(self, name: str) -> dict[str, Any]:
        """How its build began and how it compared; empty for one that no migration built."""
        query = sa.select(index_builds.c.report).where(index_builds.c.collection == name)
        with self._database.begin() as transaction:
            return transaction.execute(query).scalar_one_or_none() or {}
