"""What the schema index holds of each connection: snapshot version, model and content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.rows import of_row
from twd_shared.store.tables import index_states


@dataclass(frozen=True, slots=True)
class IndexState:
    """A connection's share of the collection that is served.

    `content_hash` covers all its points and what made them, `source_hash` all that they were made
    of, `presence_hash` how many points have which content mark; `database_name` is the name that
    they tell ('' = not known). It is not complete from the first change of a publication to its
    end.
    """

    connection_id: str
    collection: str
    model: str
    model_digest: str
    dimension: int
    snapshot_version: int
    content_hash: str
    point_count: int
    is_complete: bool = True
    source_hash: str = ""
    presence_hash: str = ""
    database_name: str = ""


class IndexStateStore:
    """Rows of `twd.index_states`."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def get(self, connection_id: str) -> IndexState | None:
        """What the index holds of the connection, or None if it was never published."""
        query = sa.select(index_states).where(index_states.c.connection_id == connection_id)
        with self._database.begin() as transaction:
            row = transaction.execute(query).one_or_none()
        return of_row(IndexState, row) if row else None

    def connection_ids(self) -> set[str]:
        """The connections of which the index holds anything."""
        query = sa.select(index_states.c.connection_id)
        with self._database.begin() as transaction:
            return set(transaction.execute(query).scalars())

    def collections(self) -> set[str]:
        """The collections of which something is recorded."""
        query = sa.select(index_states.c.collection).distinct()
        with self._database.begin() as transaction:
            return set(transaction.execute(query).scalars())

    def snapshot_versions(self, published_before: datetime) -> dict[str, int]:
        """Snapshot version by connection id, of what was published before that moment."""
        query = sa.select(index_states.c.connection_id, index_states.c.snapshot_version).where(
            index_states.c.published_at < published_before
        )
        with self._database.begin() as transaction:
            return {row.connection_id: row.snapshot_version for row in transaction.execute(query)}

    def put(self, state: IndexState) -> None:
        """Record what the index holds of the connection now."""
        values = asdict(state)
        statement = insert(index_states).values(**values)
        with self._database.begin() as transaction:
            transaction.execute(
                statement.on_conflict_do_update(
                    index_elements=[index_states.c.connection_id],
                    set_={**values, "published_at": sa.func.now()},
                )
            )

    def begin(self, connection_id: str) -> None:
        """Record that the connection's points are being changed; nothing if there were none."""
        with self._database.begin() as transaction:
            transaction.execute(
                sa.update(index_states)
                .where(index_states.c.connection_id == connection_id)
                .values(is_complete=False)
            )

    def replace(self, states: Iterable[IndexState]) -> None:
        """Record what another collection holds that is served from now on, and nothing else.

        A connection that is not among them counts as not indexed, and is imported again.
        """
        rows = [asdict(state) for state in states]
        with self._database.begin() as transaction:
            transaction.execute(sa.delete(index_states))
            if rows:
                transaction.execute(sa.insert(index_states), rows)

    def delete(self, connection_id: str) -> None:
        """Forget a connection whose points are gone."""
        with self._database.begin() as transaction:
            transaction.execute(
                sa.delete(index_states).where(index_states.c.connection_id == connection_id)
            )
