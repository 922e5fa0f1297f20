"""Documentation of the tables of each connection's newest snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import table_documentation


@dataclass(frozen=True, slots=True)
class TableCard:
    """What one table is about; `content_hash` is of `card`."""

    schema: str
    table: str
    card: str
    content_hash: str
    table_fingerprint: str


class DocumentationStore:
    """Rows of `twd.table_documentation`."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def replace(self, connection_id: str, version: int, cards: Sequence[TableCard]) -> None:
        """Make the cards of snapshot `version` the connection's whole documentation."""
        table = table_documentation
        with self._database.begin() as transaction:
            if cards:
                statement = insert(table)
                transaction.execute(
                    statement.on_conflict_do_update(
                        index_elements=list(table.primary_key),
                        set_={
                            "card": statement.excluded.card,
                            "content_hash": statement.excluded.content_hash,
                            "table_fingerprint": statement.excluded.table_fingerprint,
                            "snapshot_version": statement.excluded.snapshot_version,
                            "written_at": sa.func.now(),
                        },
                    ),
                    [
                        {
                            "connection_id": connection_id,
                            "schema_name": card.schema,
                            "table_name": card.table,
                            "card": card.card,
                            "content_hash": card.content_hash,
                            "table_fingerprint": card.table_fingerprint,
                            "snapshot_version": version,
                        }
                        for card in cards
                    ],
                )
            transaction.execute(
                sa.delete(table).where(
                    table.c.connection_id == connection_id, table.c.snapshot_version != version
                )
            )

    def cards(self, connection_id: str) -> list[TableCard]:
        """The connection's cards, by schema and table."""
        table = table_documentation
        query = (
            sa.select(table)
            .where(table.c.connection_id == connection_id)
            .order_by(table.c.schema_name, table.c.table_name)
        )
        with self._database.begin() as transaction:
            return [
                TableCard(
                    schema=row.schema_name,
                    table=row.table_name,
                    card=row.card,
                    content_hash=row.content_hash,
                    table_fingerprint=row.table_fingerprint,
                )
                for row in transaction.execute(query)
            ]

    def delete(self, connection_id: str) -> None:
        """Remove a connection's documentation."""
        with self._database.begin() as transaction:
            transaction.execute(
                sa.delete(table_documentation).where(
                    table_documentation.c.connection_id == connection_id
                )
            )
