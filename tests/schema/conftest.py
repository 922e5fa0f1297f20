"""A schema location on real servers: its resources, with a catalog that tests fill."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import dagster as dg
import pytest

from twd_schema.definitions import build_defs
from twd_schema.defs.resources import SourceDatabaseResource
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.resources.stores import (
    ApplicationDatabaseResource,
    CatalogResource,
    MetadataStoreResource,
)
from twd_shared.settings import Settings
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

from ..local_server import LocalServer
from ..statements import execute as execute_statements
from .daemon import clock, daemon, imported, sensors, shop
from .own_server import own_server

__all__ = ["clock", "daemon", "imported", "own_server", "sensors", "shop"]


class ListedConnections(LocalServer):
    """The application's catalog over real HTTP; a test changes `rows` or `answer`."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.answer: bytes | None = None
        self.status = 200
        listed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = listed.answer or json.dumps({"connections": listed.rows}).encode()
                self.send_response(listed.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(Handler)

    def add(self, connection_id: int | str, name: str, dsn: str, **fields: Any) -> None:
        """List a connection."""
        row = {"id": connection_id, "database_name": name, "connection_string": dsn}
        self.rows.append({"db_type": "postgresql", "is_active": True, **row, **fields})


@pytest.fixture
def catalog() -> Iterator[ListedConnections]:
    """An empty catalog."""
    listed = ListedConnections()
    yield listed
    listed.close()


def resources_of(services: Any, metadata_dsn: str, catalog_url: str) -> dict[str, Any]:
    """The location's resources on real servers, with an index alias of this database's own."""
    return {
        "metadata_store": MetadataStoreResource(dsn=metadata_dsn),
        # A database without the application's tables: what users asked is not known.
        "application": ApplicationDatabaseResource(dsn=metadata_dsn),
        "catalog": CatalogResource(api_url=catalog_url, application_dsn=""),
        "ollama": OllamaResource(base_url=services.ollama, embed_model=services.embed_model),
        "qdrant": QdrantResource(
            url=services.qdrant, collection_name="t_" + metadata_dsn.rpartition("/")[2]
        ),
        "source_database": SourceDatabaseResource(
            dialects="postgresql,mysql,sqlite", hosts="loopback"
        ),
    }


@pytest.fixture
def resources(
    services: Any, metadata_dsn: str, catalog: ListedConnections
) -> Iterator[dict[str, Any]]:
    """The location's resources, with a metadata database and an index of this test's own."""
    made = resources_of(services, metadata_dsn, catalog.url)
    store = made["metadata_store"]
    yield made
    # PostgreSQL takes a hundred connections, and there are more tests than that.
    store.database.close()


@pytest.fixture
def location(resources: dict[str, Any]) -> dg.Definitions:
    """The location's definitions, with quick retries."""
    return build_defs(
        Settings(run_retry_seconds=0, run_max_retries=1, confirm_seconds=0), resources
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An ephemeral Dagster instance."""
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(scope="session")
def execute() -> Callable[..., None]:
    """Run statements on a database, each in a transaction of its own."""
    return execute_statements


@pytest.fixture(scope="session")
def connection_to() -> Callable[..., Connection]:
    """Connection 7 (shop) with this connection string, as the application lists it."""

    def make(dsn: str, db_type: str = "postgresql") -> Connection:
        return Connection("7", "shop", db_type, True, dsn)

    return make


@pytest.fixture(scope="session")
def reader() -> SchemaReader:
    """A reader of the dialects that are allowed by default, on this machine."""
    return SchemaReader(
        frozenset({"postgresql", "mysql"}), ReadLimits(), reach_policy("loopback", "")
    )


@pytest.fixture
def faults(services: Any) -> Iterator[Callable[..., None]]:
    """Make the Ollama server or the Qdrant front fail: faults("ollama", {rule}, …)."""
    files = {"ollama": services.ollama_faults, "qdrant": services.qdrant_faults}

    def spoil(server: str, *rules: dict[str, Any]) -> None:
        files[server].write_text(json.dumps({"rules": rules}))

    yield spoil
    for file in files.values():
        file.unlink(missing_ok=True)
