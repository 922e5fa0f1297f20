"""Documentation of the tables of each connection's newest snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.store.database import MetadataDatabase, text_rows
from twd_shared.store.tables import table_documentation


@dataclass(frozen=True, slots=True)
class TableCard:
    """What one table is about; `content_hash` is of `card`.

    `descriptions` are those that the card tells, of people or of a language model, by column name;
    that of the table stands under ''. `categories` are the few values of a column, by column.
    """

    schema: str
    table: str
    card: str
    content_hash: str
    table_fingerprint: str
    descriptions: Mapping[str, str] = field(default_factory=dict[str, str])
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])


class DocumentationStore:
    """Rows of `twd.table_documentation`."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def replace(self, connection_id: str, version: int, cards: Sequence[TableCard]) -> None:
        """Make the cards of snapshot `version` the connection's whole documentation.

        Only those that differ from what is stored are written.
        """
        table = table_documentation
        of_connection = table.c.connection_id == connection_id
        whole = {"connection_id": connection_id, "snapshot_version": version}
        with self._database.begin() as transaction:
            rows = transaction.execute(sa.select(table).where(of_connection))
            stored = {(card.schema, card.table): _row(card) for card in map(_card, rows)}
            if changed := [c for c in cards if stored.get((c.schema, c.table)) != _row(c)]:
                statement = insert(table)
                key = {column.name for column in table.primary_key}
                written = {column.name for column in table.columns} - key - {"written_at"}
                transaction.execute(
                    statement.on_conflict_do_update(
                        index_elements=list(table.primary_key),
                        set_={
                            **{name: statement.excluded[name] for name in sorted(written)},
                            "written_at": sa.func.now(),
                        },
                    ),
                    [{**_row(card), **whole} for card in changed],
                )
            gone = stored.keys() - {(card.schema, card.table) for card in cards}
            if gone:
                # One by one in the statement, ten thousand names are more than a server parses.
                names = ("schema_name", "table_name")
                given = text_rows(names, sorted(gone))
                are_these = (table.c[name] == given.c[name] for name in names)
                transaction.execute(sa.delete(table).where(of_connection, *are_these))
            transaction.execute(
                sa.update(table)
                .where(of_connection, table.c.snapshot_version != version)
                .values(snapshot_version=version)
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
            return [_card(row) for row in transaction.execute(query)]

    def fingerprint(self, connection_id: str) -> str:
        """Changes with any card of the connection; equal cards have the same, whenever written."""
        query = sa.text(
            "select coalesce(md5(string_agg(md5("
            "row(schema_name, table_name, content_hash, descriptions, categories)::text"
            "), '' order by schema_name, table_name)), '')"
            " from twd.table_documentation where connection_id = :connection_id"
        )
        with self._database.begin() as transaction:
            return transaction.execute(query, {"connection_id": connection_id}).scalar_one()

    def delete(self, connection_id: str) -> None:
        """Remove a connection's documentation."""
        with self._database.begin() as transaction:
            transaction.execute(
                sa.delete(table_documentation).where(
                    table_documentation.c.connection_id == connection_id
                )
            )


def _card(row: sa.Row[Any]) -> TableCard:
    return TableCard(
        schema=row.schema_name,
        table=row.table_name,
        card=row.card,
        content_hash=row.content_hash,
        table_fingerprint=row.table_fingerprint,
        descriptions=row.descriptions,
        categories=row.categories,
    )


def _row(card: TableCard) -> dict[str, Any]:
    return {
        "schema_name": card.schema,
        "table_name": card.table,
        "card": card.card,
        "content_hash": card.content_hash,
        "table_fingerprint": card.table_fingerprint,
        "descriptions": dict(card.descriptions),
        "categories": {name: list(values) for name, values in card.categories.items()},
    }
