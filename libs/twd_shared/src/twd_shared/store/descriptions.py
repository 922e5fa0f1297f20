"""Descriptions of tables and columns: what people wrote, and what a language model answered.

A description of the table itself stands under the column name ''. Rows of a table or column that
is gone stay: it may come back. What of them is told decides the documentation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.schema_model.keys import TableName
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.locks import take_lock
from twd_shared.store.tables import descriptions


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model said of a table, by column; `content_hash` is of the model and its question."""

    content_hash: str
    texts: Mapping[str, str]


class DescriptionStore:
    """Rows of `twd.descriptions`."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def of_people(self, connection_id: str) -> dict[TableName, dict[str, str]]:
        """What people wrote of the connection's tables, by column."""
        return {name: found for name, (_, found) in self._read(connection_id, "human").items()}

    def of_model(self, connection_id: str) -> dict[TableName, ModelAnswer]:
        """The newest answer of a model on each of the connection's tables."""
        read = self._read(connection_id, "model")
        return {name: ModelAnswer(*found) for name, found in read.items()}

    def keep_answer(self, connection_id: str, table: TableName, answer: ModelAnswer) -> None:
        """Make this the model's answer on the table; what people wrote is left alone."""
        self._replace(connection_id, table, answer, sa.true())

    def parts_of_model(self, connection_id: str, table: TableName) -> dict[str, dict[str, str]]:
        """What a model said of a table, by the content hash of what it was shown."""
        found: dict[str, dict[str, str]] = {}
        query = sa.select(descriptions).where(*_of(connection_id, table, "model"))
        with self._database.begin() as transaction:
            for row in transaction.execute(query):
                found.setdefault(row.content_hash, {})[row.column_name] = row.description
        return found

    def keep_part(
        self, connection_id: str, table: TableName, part: ModelAnswer, hashes: Collection[str]
    ) -> None:
        """Keep what a model said of some columns of a table, until `keep_answer` has all.

        What it said of the table to other questions than those of the `hashes` is forgotten.
        """
        outdated = descriptions.c.content_hash.not_in(hashes)
        self._replace(connection_id, table, part, outdated)

    def edit(self, connection_id: str, table: TableName, column: str, text: str) -> None:
        """Keep what a person wrote of a column, or of the table (''); an empty text removes it."""
        with self._database.begin() as transaction:
            if not text:
                transaction.execute(
                    sa.delete(descriptions).where(
                        *_of(connection_id, table, "human"), descriptions.c.column_name == column
                    )
                )
                return
            statement = insert(descriptions).values(
                connection_id=connection_id,
                schema_name=table[0],
                table_name=table[1],
                column_name=column,
                source="human",
                description=text,
            )
            transaction.execute(
                statement.on_conflict_do_update(
                    index_elements=list(descriptions.primary_key),
                    set_={"description": text, "written_at": sa.func.now()},
                )
            )

    def _replace(
        self,
        connection_id: str,
        table: TableName,
        answer: ModelAnswer,
        outdated: sa.ColumnElement[bool],
    ) -> None:
        shared = {
            "connection_id": connection_id,
            "schema_name": table[0],
            "table_name": table[1],
            "source": "model",
            "content_hash": answer.content_hash,
        }
        with self._database.begin() as transaction:
            # Two runs may document a connection at once: neither sees what the other has not
            # committed yet, and what both have been answered would be written twice.
            take_lock(transaction, f"twd.descriptions:{connection_id}")
            of_model = _of(connection_id, table, "model")
            said_again = descriptions.c.column_name.in_(answer.texts)
            transaction.execute(
                sa.delete(descriptions).where(*of_model, sa.or_(outdated, said_again))
            )
            if not answer.texts:
                return
            transaction.execute(
                sa.insert(descriptions),
                [
                    {**shared, "column_name": column, "description": text}
                    for column, text in answer.texts.items()
                ],
            )

    def _read(
        self, connection_id: str, source: str
    ) -> defaultdict[TableName, tuple[str, dict[str, str]]]:
        found: defaultdict[TableName, tuple[str, dict[str, str]]] = defaultdict(lambda: ("", {}))
        query = sa.select(descriptions).where(
            descriptions.c.connection_id == connection_id, descriptions.c.source == source
        )
        with self._database.begin() as transaction:
            for row in transaction.execute(query):
                name = (row.schema_name, row.table_name)
                found[name] = (
                    row.content_hash,
                    found[name][1] | {row.column_name: row.description},
                )
        return found


def _of(connection_id: str, table: TableName, source: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        descriptions.c.connection_id == connection_id,
        descriptions.c.schema_name == table[0],
        descriptions.c.table_name == table[1],
        descriptions.c.source == source,
    )
