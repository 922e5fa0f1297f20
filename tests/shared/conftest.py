"""What the tests of the shared library have in common: a database of ours and an HTTP server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from twd_shared.clients.catalog import Connection
from twd_shared.clients.webhook import Webhook
from twd_shared.store.alert_delivery import AlertDelivery
from twd_shared.store.alerts import AlertOutbox
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase

from ..local_server import LocalServer
from ..webhook_server import WebhookServer
from .sample_names import pagila, pagila_tables
from .severed_link import SeveredLink
from .source_ticks import BOTH, WHILE_TICKING, Automation, index, report, snapshot

__all__ = ["pagila", "pagila_tables"]


class HttpServer(LocalServer):
    """A real HTTP server that answers everything with `status` and `body` and keeps what it got."""

    def __init__(self) -> None:
        self.status = 200
        self.body: bytes = b"{}"
        self.received: list[dict[str, Any]] = []
        self._may_answer = threading.Event()
        self._may_answer.set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                posted = json.loads(self.rfile.read(length))
                if server.status < 400:
                    server.received.append(posted)
                self._answer()

            def _answer(self) -> None:
                if not server._may_answer.wait(30):
                    return
                self.send_response(server.status)
                self.send_header("content-length", str(len(server.body)))
                self.end_headers()
                self.wfile.write(server.body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(Handler)

    def answer(self, body: object) -> None:
        """Answer with `body` as JSON from now on."""
        self.body = json.dumps(body).encode()

    def hang(self) -> None:
        """Take requests and do not answer them until it is closed."""
        self._may_answer.clear()

    def close(self) -> None:
        """Stop serving."""
        self._may_answer.set()
        super().close()


@pytest.fixture
def http_server() -> Iterator[HttpServer]:
    """An HTTP server of this test's own."""
    server = HttpServer()
    yield server
    server.close()


@pytest.fixture
def database(metadata_dsn: str) -> Iterator[MetadataDatabase]:
    """A migrated metadata database of this test's own."""
    made = MetadataDatabase(metadata_dsn)
    yield made
    made.close()


@pytest.fixture
def registry(database: MetadataDatabase) -> ConnectionRegistry:
    """A registry that knows connection 7, `shop`."""
    made = ConnectionRegistry(database)
    made.register([Connection("7", "shop", "postgresql", True, "postgresql://u@h/shop")])
    return made


@pytest.fixture
def automation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Automation]:
    """Two sources that are indexed, and quiet."""
    # As in the stack: a tick then looks at no event that came after it began.
    monkeypatch.setenv("DAGSTER_AUTOMATION_TICK_SETTLE_SECONDS", "1")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("source_databases", list(BOTH))
        made = Automation(instance)
        for partition in BOTH:
            for asset in (snapshot, index):
                report(instance, asset.key, partition, "first")
        made.tick()
        yield made
    # Of a tick that failed before it came to it.
    WHILE_TICKING.clear()


@pytest.fixture
def outbox(database: MetadataDatabase) -> AlertOutbox:
    return AlertOutbox(database)


@pytest.fixture
def delivery(database: MetadataDatabase, webhook: WebhookServer) -> AlertDelivery:
    return AlertDelivery(database, Webhook(webhook.url))


@pytest.fixture
def severed_link(metadata_dsn: str) -> Iterator[SeveredLink]:
    """A link to the server of the metadata database; whoever waits too long learns it so."""
    with closing(SeveredLink(sa.make_url(metadata_dsn).port or 5432)) as link:
        too_long = threading.Timer(15, link.close)
        too_long.start()
        yield link
        too_long.cancel()
        too_long.join()


@pytest.fixture
def instance(services: Any, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on PostgreSQL; in SQLite each run has numbers of its own for its events."""
    overrides = {
        "storage": {"postgres": {"postgres_url": services.database()}},
        "telemetry": {"enabled": False},
    }
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as made:
        yield made
