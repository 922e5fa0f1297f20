"""A connection's share of the schema index on real servers: read, published, asked."""

from __future__ import annotations

from typing import Any

import msgspec

from twd_schema.indexing.publication import Publication, Publisher
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_points import ConnectionPoints
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.retrieval.search import retrieve_tables
from twd_shared.schema_model.models import Column, Snapshot, Table
from twd_shared.store.database import MetadataDatabase

SHOP = Connection("7", "shop", "postgresql", True, "postgresql://u:p@h/shop")
EVERYTHING = 1000

LARGE, SMALL = "twd-lexical", "twd-lexical-small"
"""Two models of the local server: of 768 and of 256 dimensions."""


def table(name: str, *columns: str, comment: str | None = None) -> Table:
    return Table(
        schema="public",
        name=name,
        kind="table",
        columns=tuple(Column(name=column, type="integer") for column in columns),
        comment=comment,
    )


def with_comment(changed: Table, comment: str) -> Table:
    return msgspec.structs.replace(changed, comment=comment)


def snapshot(*tables: Table) -> Snapshot:
    return Snapshot(dialect="postgresql", database_name="shop", server_version="16", tables=tables)


SIX = [table(name, "id") for name in ("actors", "books", "cities", "dogs", "eggs", "films")]


class Shop:
    """One connection; `resources` are those of the location."""

    def __init__(self, resources: dict[str, Any], connection: Connection = SHOP) -> None:
        self.resources = resources
        self.connection = connection
        self.store = resources["metadata_store"]
        self.store.connections.register([connection])

    @property
    def database(self) -> MetadataDatabase:
        return self.store.database

    @property
    def index(self) -> SchemaIndex:
        return self.resources["qdrant"].schema_index

    @property
    def ollama(self) -> Ollama:
        return self.resources["ollama"].client

    @property
    def points(self) -> ConnectionPoints:
        """Those in the collection that is served."""
        served = self.index.served()
        assert served is not None
        return self.index.points(self.connection.connection_id, served.name)

    def read(self, *tables: Table) -> int:
        """What `raw_schema_metadata` does: keep a snapshot; gives its version."""
        read = snapshot(*tables)
        return self.store.snapshots.save(self.connection.connection_id, read).version.version

    def publish(self, *tables: Table) -> Publication:
        """Read these tables and publish them."""
        version = self.read(*tables)
        publisher = Publisher(self.index, self.ollama, self.database)
        return publisher.publish(self.connection, snapshot(*tables), version)

    def find(self, question: str, limit: int = 5) -> list[str]:
        """Names of the tables that a question finds, best first."""
        found = retrieve_tables(
            question,
            connection_id=self.connection.connection_id,
            index=self.index,
            ollama=self.ollama,
            limit=limit,
        )
        return [item.table for item in found.tables]

    def content_hashes(self) -> set[str]:
        """Of the points that readers are served."""
        payloads = self.points.held(["content_hash"]).values()
        return {payload["content_hash"] for payload in payloads}

    def held(self) -> list[str]:
        """Names of the tables that readers are served, in order."""
        payloads = self.points.held(["table_name"]).values()
        return sorted({payload["table_name"] for payload in payloads})
