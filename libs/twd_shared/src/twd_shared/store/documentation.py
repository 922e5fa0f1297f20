"""Documentation of the tables of each connection's newest snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.schema_model.keys import TableName
from twd_shared.store.database import MetadataDatabase, text_rows
from twd_shared.store.tables import table_documentation


@dataclass(frozen=True, slots=True)
class TableCard:
    """What one table is about; `content_hash` is of `card`.

    `table_fingerprint` is of all that it was made of: with the same it need not be made again.
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


class StoredCard(NamedTuple):
    """What is known of a stored card without reading it."""

    table_fingerprint: str
    content_hash: str
    is_described: bool


class DocumentationStore:
    """Rows of `twd.table_documentation`."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def replace(
        self,
        connection_id: str,
        version: int,
        fingerprints: Mapping[TableName, str],
        card_of: Callable[[TableName], TableCard],
        *,
        verify: bool = False,
    ) -> dict[TableName, StoredCard]:
        """Make the cards of snapshot `version` the connection's whole documentation.

        `fingerprints` are those that the cards of all tables have. Only what is stored with another
        one is asked of `card_of` and written; with `verify` all are asked and compared. The
        others keep the version that they were written for. Gives what is stored then, in the order
        of `fingerprints`.
        """
        table = table_documentation
        of_connection = table.c.connection_id == connection_id
        with self._database.begin() as transaction:
            stored = _stored(transaction, connection_id)
            changed = [
                card_of(name)
                for name, fingerprint in fingerprints.items()
                if verify or name not in stored or stored[name].table_fingerprint != fingerprint
            ]
            _write(transaction, connection_id, version, changed)
            if gone := stored.keys() - fingerprints.keys():
                # One by one in the statement, ten thousand names are more than a server parses.
                names = ("schema_name", "table_name")
                given = text_rows(names, sorted(gone))
                are_these = (table.c[name] == given.c[name] for name in names)
                transaction.execute(sa.delete(table).where(of_connection, *are_these))
        written = {
            (card.schema, card.table): StoredCard(
                card.table_fingerprint, card.content_hash, bool(card.descriptions)
            )
            for card in changed
        }
        return {name: written.get(name) or stored[name] for name in fingerprints}

    def cards(self, connection_id: str) -> list[TableCard]:
        """The connection's cards, by schema and table."""
        return self._cards(connection_id)

    def telling(self, connection_id: str) -> list[TableCard]:
        """Those of the cards that tell what a snapshot does not: descriptions, or values."""
        table = table_documentation
        return self._cards(connection_id, _has_any(table.c.descriptions, table.c.categories))

    def _cards(self, connection_id: str, *conditions: sa.ColumnElement[bool]) -> list[TableCard]:
        table = table_documentation
        query = (
            sa.select(table)
            .where(table.c.connection_id == connection_id, *conditions)
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


def _stored(transaction: sa.Connection, connection_id: str) -> dict[TableName, StoredCard]:
    table = table_documentation
    # All but the cards themselves, which weigh the most and seldom change.
    query = sa.select(
        table.c.schema_name,
        table.c.table_name,
        table.c.table_fingerprint,
        table.c.content_hash,
        _has_any(table.c.descriptions),
    ).where(table.c.connection_id == connection_id)
    return {
        (schema, name): StoredCard(*known) for schema, name, *known in transaction.execute(query)
    }


def _has_any(*columns: sa.Column[Any]) -> sa.ColumnElement[bool]:
    return sa.or_(*(column != sa.literal({}, column.type) for column in columns))


def _write(
    transaction: sa.Connection, connection_id: str, version: int, cards: Iterable[TableCard]
) -> None:
    """Write the cards that differ from what is stored."""
    whole = {"connection_id": connection_id, "snapshot_version": version}
    rows = [{**_row(card), **whole} for card in cards]
    if not rows:
        return
    table = table_documentation
    statement = insert(table)
    key = {column.name for column in table.primary_key}
    written = sorted({column.name for column in table.columns} - key - {"written_at"})
    # Not the version: a card that is as it was stays.
    told = [name for name in written if name != "snapshot_version"]
    transaction.execute(
        statement.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={
                **{name: statement.excluded[name] for name in written},
                "written_at": sa.func.now(),
            },
            where=sa.or_(
                *(table.c[name].is_distinct_from(statement.excluded[name]) for name in told)
            ),
        ),
        rows,
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
