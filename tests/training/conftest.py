"""A training location on real servers: a registered connection with a snapshot and an index."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psycopg2
import pytest
import sqlalchemy as sa

from twd_shared.clients.application import ApplicationDatabase
from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_collections import making_of
from twd_shared.clients.index_layout import Point, point_id
from twd_shared.contract import source_databases
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.resources.sources import SourceAccessResource
from twd_shared.resources.stores import (
    ApplicationDatabaseResource,
    CatalogResource,
    MetadataStoreResource,
)
from twd_shared.schema_model.ddl import table_ddl
from twd_shared.schema_model.models import Column, ForeignKey, Key, Snapshot, Table
from twd_shared.settings import Settings
from twd_shared.sources.access import SourceAccess
from twd_shared.sql.grammar import PostgresGrammar
from twd_shared.store.connections import RegisteredConnection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.documentation import TableCard
from twd_shared.store.index_states import IndexState
from twd_shared.terms.sparse import document_terms, significant_words
from twd_training.definitions import build_defs
from twd_training.examples.collecting import Collected, collect_examples
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base.collections import Collections

CUSTOMER = Table(
    schema="public",
    name="customer",
    kind="table",
    columns=(
        Column(name="customer_id", type="integer", nullable=False),
        Column(name="full_name", type="text"),
    ),
    primary_key=Key(name="customer_pkey", columns=("customer_id",)),
)
INVOICE = Table(
    schema="public",
    name="invoice",
    kind="table",
    columns=(
        Column(name="invoice_id", type="integer", nullable=False),
        Column(name="customer_id", type="integer"),
        Column(name="total_amount", type="numeric(10,2)"),
    ),
    primary_key=Key(name="invoice_pkey", columns=("invoice_id",)),
    foreign_keys=(
        ForeignKey(
            name="invoice_customer",
            columns=("customer_id",),
            referenced_schema="public",
            referenced_table="customer",
            referenced_columns=("customer_id",),
        ),
    ),
)
WAREHOUSE = Table(
    schema="stock",
    name="warehouse",
    kind="table",
    columns=(Column(name="warehouse_id", type="integer"), Column(name="city", type="text")),
)


def snapshot_of(*tables: Table, dialect: str = "postgresql") -> Snapshot:
    return Snapshot(
        dialect=dialect, database_name="shop", server_version="18", tables=tuple(tables)
    )


class Location:
    """What a test does to one connection: the outside that the schema location and users are."""

    connection_id = "7"

    def __init__(self, resources: dict[str, Any], application_dsn: str, database: str) -> None:
        self.resources = resources
        self.store: MetadataStoreResource = resources["metadata_store"]
        self.application_dsn = application_dsn
        self.definitions = build_defs(Settings(run_max_retries=0, run_retry_seconds=0), resources)
        self._listed = Connection(self.connection_id, database, "postgresql", True, "none")
        self.register()

    @property
    def database(self) -> MetadataDatabase:
        return self.store.database

    @property
    def connection(self) -> RegisteredConnection:
        return next(
            item
            for item in self.store.connections.known()
            if item.connection_id == self.connection_id
        )

    @property
    def listed(self) -> Connection:
        """The connection as the application lists it now."""
        return self.resources["catalog"].connection(self.connection)

    @property
    def access(self) -> SourceAccess:
        return self.resources["source_access"].access(self.database)

    @property
    def key(self) -> str:
        return self.connection.partition_key

    def collect(self, connection: Connection | None = None) -> Collected:
        """What `training_examples` does, of the connection as it is listed or as it is given."""
        return collect_examples(
            connection or self.listed,
            ApplicationDatabase(self.application_dsn),
            self.store.snapshots,
            TrainingSet(self.database),
            self.access,
            PostgresGrammar(self.store.dsn),
        )

    def register(self) -> None:
        self.store.connections.register([self._listed])

    def read_schema(self, *tables: Table) -> int:
        """What the schema location does: snapshot, cards and schema index of these tables."""
        version = self.store.snapshots.save(self.connection_id, snapshot_of(*tables)).version
        cards = {
            (t.schema, t.name): TableCard(
                t.schema, t.name, f"Table {t.label} of the shop.", t.name, "f"
            )
            for t in tables
        }
        self.store.documentation.replace(
            self.connection_id, version.version, dict.fromkeys(cards, "f"), cards.__getitem__
        )
        ollama, index = self.resources["ollama"].client, self.resources["qdrant"].schema_index
        making = making_of(ollama.embedding_model())
        collection = index.served() or index.create(making, ollama.token_budget())
        index.serve(collection.name)
        points = index.points(self.connection_id, collection.name)
        points.delete_all()
        ddl = [table_ddl(table, "postgresql") for table in tables]
        points.upsert(
            Point(
                point_id(self.connection_id, table.schema, table.name),
                vector,
                document_terms(names=[table.name], columns=[], prose=[]),
                {
                    "connection_id": self.connection_id,
                    "schema_name": table.schema,
                    "table_name": table.name,
                    "kind": table.kind,
                    "words": list(significant_words(table.name)),
                    "ddl": text,
                    "card": "",
                },
            )
            for table, text, vector in zip(tables, ddl, ollama.embed(ddl, "document"), strict=True)
        )
        self.store.index_states.put(
            IndexState(
                connection_id=self.connection_id,
                collection=collection.name,
                model=collection.model,
                model_digest=collection.model_digest,
                dimension=collection.dimension,
                snapshot_version=version.version,
                content_hash=version.fingerprint,
                point_count=len(tables),
            )
        )
        return version.version

    def execute(self, statement: str, *values: object) -> None:
        """Run a statement on the application's database, as the application."""
        connection = psycopg2.connect(self.application_dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
        connection.close()

    @contextmanager
    def reading_without(self, table: str, kept: str) -> Iterator[None]:
        """Meanwhile the application is read by a role from which a column is kept."""
        role, owner = f"reader_{uuid.uuid4().hex[:8]}", self.application_dsn
        self.execute(f"create role {role} login password 'hush'")
        self.execute(f"grant select on all tables in schema public to {role}")
        self.execute(f"revoke select on {table} from {role}")
        self.execute(
            "do $$ begin execute (select format("
            f"'grant select (%%s) on {table} to {role}', string_agg(attname, ', '))"
            f" from pg_attribute where attrelid = '{table}'::regclass and attnum > 0"
            f" and not attisdropped and attname <> '{kept}'); end $$",
        )
        address = sa.make_url(owner).set(username=role, password="hush")
        self.application_dsn = address.render_as_string(hide_password=False)
        try:
            yield
        finally:
            self.application_dsn = owner
            self.execute(f"drop owned by {role}")
            self.execute(f"drop role {role}")

    def execute_metadata(self, statement: str) -> None:
        """Run a statement on the metadata database, as its operator."""
        with self.database.begin() as transaction:
            transaction.execute(sa.text(statement))

    def metadata_rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of the metadata database."""
        with self.database.begin() as transaction:
            return [tuple(row) for row in transaction.execute(sa.text(query))]

    def teach(self, content: str, question: str | None = None, kind: str | None = None) -> None:
        """What a user does in the application."""
        kind = kind or ("question_sql" if question else "documentation")
        self.execute(
            "insert into training_data (connection_id, kind, question, content)"
            " values (%s, %s, %s, %s)",
            int(self.connection_id),
            kind,
            question,
            content,
        )


@pytest.fixture
def location(services: Any, metadata_dsn: str, application_dsn: str) -> Iterator[Location]:
    """A connection of this test's own, with three tables read, on real servers."""
    unique = f"shop {uuid.uuid4().hex[:10]}"
    resources = {
        "metadata_store": MetadataStoreResource(dsn=metadata_dsn),
        "application": ApplicationDatabaseResource(dsn=application_dsn),
        "catalog": CatalogResource(source="database", api_url="", application_dsn=application_dsn),
        "source_access": SourceAccessResource(hosts="loopback"),
        "ollama": OllamaResource(base_url=services.ollama, embed_model=services.embed_model),
        "qdrant": QdrantResource(url=services.qdrant, collection_name=unique.replace(" ", "_")),
    }
    made = Location(resources, application_dsn, unique)
    made.execute(
        "insert into database_connections (id, name, connection_string, db_type)"
        " values (7, 'shop', 'none', 'postgresql'), (8, 'other', 'none', 'postgresql')"
    )
    made.read_schema(CUSTOMER, INVOICE, WAREHOUSE)
    yield made
    # The server is shared by all tests, and ends the sooner the less it holds.
    client, index = resources["qdrant"].client, resources["qdrant"].schema_index
    collections = Collections(client, made.key)
    collections.drop(collections.present())
    served = index.served()
    if served:
        client.delete_collection(served.name)
    client.close()
    made.database.close()


@pytest.fixture
def instance(location: Location) -> Iterator[dg.DagsterInstance]:
    """An ephemeral Dagster instance that knows the connection's partition."""
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions(str(source_databases.name), [location.key])
        yield made
