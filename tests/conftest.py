"""Real servers for all tests: PostgreSQL, the Qdrant front and the Ollama-protocol server.

They run in one process of the root environment (.venv) per test session, whichever environment
the tests themselves run in, and end with it. Each test that writes gets a database of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from twd_shared.store.migrate import upgrade

from .databases import Databases
from .servers_folder import servers_folder
from .webhook_server import WebhookServer

ROOT = Path(__file__).parents[1]

# How long an example takes depends on what else the machine does: no fault of what is tested.
settings.register_profile("twd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("twd")


class Services:
    """The running servers: their addresses, and databases made on request."""

    def __init__(self, process: subprocess.Popen[str], addresses: dict[str, Any]) -> None:
        self._process = process
        self.postgres: str = addresses["postgres"]
        self.postgres_bin = Path(addresses["postgres_bin"])
        self.qdrant: str = addresses["qdrant"]
        self.ollama: str = addresses["ollama"]
        self.embed_model: str = addresses["embed_model"]
        self.qdrant_faults = Path(addresses["qdrant_faults"])
        self.ollama_faults = Path(addresses["ollama_faults"])
        self.databases = Databases(self.postgres)

    def database(self) -> str:
        """Address of a new empty database."""
        return self._ask(f"database {self.databases.new_name('test')}")

    def application(self) -> str:
        """Address of a new application database with its tables and no rows."""
        return self.databases.copy("app", self._make_application)

    def close(self) -> None:
        """Stop the servers."""
        self.databases.close()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(90)
        self._process.stdout.close()

    def source(self, name: str, database: str | None = None) -> str:
        """Read-only address of a sample source: pagila, chinook or northwind."""
        return self._ask(f"source {name} {database or name}")

    def _make_application(self, dsn: str) -> None:
        self._ask(f"application {dsn.rpartition('/')[2]}")

    def _ask(self, command: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "dsn" in answer, answer
        return answer["dsn"]


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """The servers, started once."""
    python = os.environ.get("TWD_SERVICES_PYTHON", str(ROOT / ".venv/bin/python"))
    if not Path(python).exists():
        pytest.fail(f"{python} is missing: run 'make environments' first.")
    process = subprocess.Popen(
        [python, "-m", "twd_local.services"],
        env={**os.environ, "TMPDIR": servers_folder()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    if not first:
        pytest.fail(f"The services ended with {process.wait()}; their messages are above.")
    with closing(Services(process, json.loads(first))) as running:
        yield running


@pytest.fixture(autouse=True)
def _databases_of_this_test(request: pytest.FixtureRequest) -> Iterator[None]:
    if "services" not in request.fixturenames:
        yield
        return
    databases: Databases = request.getfixturevalue("services").databases
    # Fixtures of wider scopes that the test names are made before this one: what they made stays.
    before = databases.in_use
    yield
    databases.end_of_use(before)


@pytest.fixture
def metadata_dsn(services: Services) -> str:
    """A metadata database of this test's own, with schema `twd` migrated and empty."""
    return services.databases.copy("meta", upgrade)


@pytest.fixture
def application_dsn(services: Services) -> str:
    """An application database of this test's own, with its tables and no rows."""
    return services.application()


@pytest.fixture
def qdrant_url(services: Services) -> str:
    """The Qdrant server's address."""
    return services.qdrant


@pytest.fixture
def ollama_url(services: Services) -> str:
    """The Ollama server's address."""
    return services.ollama


@pytest.fixture
def webhook() -> Iterator[WebhookServer]:
    """A webhook of this test's own, which keeps what it is sent."""
    server = WebhookServer()
    yield server
    server.close()
