"""What the points of each table were made of, so that a sync need not make them again to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.schema_model.keys import TableName
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.sync_tables import index_origins


class TableOrigin(NamedTuple):
    """A hash of what a table's points were made of, and their ids in the order of chunks."""

    origin: str
    points: Sequence[str]


class IndexOrigins:
    """Rows of `twd.index_origins`."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def get(
        self, connection_id: str, collection: str, content_hash: str
    ) -> dict[TableName, TableOrigin]:
        """The origins by (schema, table); empty if they are of other points, or not known.

        An older release may have written points since, and have told nothing of their origins.
        """
        query = sa.select(index_origins.c.body).where(
            index_origins.c.connection_id == connection_id,
            index_origins.c.collection == collection,
            index_origins.c.content_hash == content_hash,
        )
        with self._database.begin() as transaction:
            body = transaction.execute(query).scalar_one_or_none() or {}
        return {
            (schema, table): TableOrigin(*origin)
            for schema, tables in body.items()
            for table, origin in tables.items()
        }

    def put(
        self,
        connection_id: str,
        collection: str,
        content_hash: str,
        origins: Mapping[TableName, TableOrigin],
    ) -> None:
        """Store what the connection's points in the collection, of that content, were made of."""
        body: dict[str, dict[str, TableOrigin]] = {}
        for (schema, table), origin in origins.items():
            body.setdefault(schema, {})[table] = origin
        values = {"collection": collection, "content_hash": content_hash, "body": body}
        with self._database.begin() as transaction:
            transaction.execute(
                insert(index_origins)
                .values(connection_id=connection_id, **values)
                .on_conflict_do_update(index_elements=[index_origins.c.connection_id], set_=values)
            )

    def delete(self, connection_id: str) -> None:
        """Forget a connection whose points are gone."""
        with self._database.begin() as transaction:
            transaction.execute(
                sa.delete(index_origins).where(index_origins.c.connection_id == connection_id)
            )
