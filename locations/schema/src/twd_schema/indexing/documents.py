"""The texts that are embedded, one or more a table, and the payload of their points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from twd_schema.documentation.cards import (
    Reference,
    column_line,
    enum_labels,
    references_to,
    write_card,
)
from twd_shared.clients.catalog import Connection
from twd_shared.clients.embedding import LONGEST_TEXT, cut_text, estimated_length
from twd_shared.clients.schema_index import point_id
from twd_shared.schema_model.ddl import table_ddl
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.models import Column, Snapshot, Table


@dataclass(frozen=True, slots=True)
class Document:
    """One text to embed with its point's id, payload and the hash of both."""

    point_id: str
    text: str
    payload: Mapping[str, Any]
    content_hash: str


def documents_of(connection: Connection, snapshot: Snapshot, version: int) -> list[Document]:
    """The documents of all tables, in the snapshot's order.

    `version` goes into the payload as the version that a point was written for; it is no part of
    the content hash, or an unchanged table would be embedded again with every version.
    """
    incoming = references_to(snapshot.tables)
    labels = enum_labels(snapshot.enums)
    documents: list[Document] = []
    for table in snapshot.tables:
        ddl = table_ddl(table, snapshot.dialect)
        base = _payload(connection, table, ddl)
        references = incoming[table.schema, table.name]
        for chunk, text in enumerate(
            _texts(connection.database_name, table, ddl, references, labels)
        ):
            payload = {**base, "chunk": chunk}
            documents.append(
                Document(
                    point_id=point_id(connection.connection_id, table.schema, table.name, chunk),
                    text=text,
                    payload={**payload, "snapshot_version": version},
                    content_hash=content_fingerprint(
                        [text, msgspec.json.encode(payload, order="sorted").decode()]
                    ),
                )
            )
    return documents


def _texts(
    database_name: str,
    table: Table,
    ddl: str,
    incoming: Sequence[Reference],
    labels: Mapping[str, tuple[str, ...]],
) -> Iterator[str]:
    head = f"Database: {database_name}\n"
    whole = f"{head}{write_card(table, table.columns, incoming, labels)}\n\n{ddl}"
    if estimated_length(whole) <= LONGEST_TEXT:
        yield whole
        return
    for columns in _column_chunks(table, labels):
        # A table that half the database refers to would fill each chunk with its referrers.
        yield cut_text(head + write_card(table, columns, incoming[:20], labels))


def _column_chunks(
    table: Table, labels: Mapping[str, tuple[str, ...]]
) -> Iterator[Sequence[Column]]:
    chunk: list[Column] = []
    size = 0
    for column in table.columns:
        length = estimated_length(column_line(table, column, labels))
        if chunk and size + length > LONGEST_TEXT // 2:
            yield chunk
            chunk, size = [], 0
        chunk.append(column)
        size += length
    yield chunk


def _payload(connection: Connection, table: Table, ddl: str) -> dict[str, Any]:
    return {
        "connection_id": connection.connection_id,
        "database_name": connection.database_name,
        "schema_name": table.schema,
        "table_name": table.name,
        "kind": table.kind,
        "ddl": ddl,
        "column_count": len(table.columns),
        "columns": [
            {"name": column.name, "type": column.type, "nullable": column.nullable}
            for column in table.columns
        ],
        "foreign_keys": [
            {
                "columns": list(key.columns),
                "referenced_schema": key.referenced_schema,
                "referenced_table": key.referenced_table,
                "referenced_columns": list(key.referenced_columns),
            }
            for key in table.foreign_keys
        ],
    }
