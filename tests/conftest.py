"""Real servers for all tests: PostgreSQL, the Qdrant front and the Ollama-protocol server.

They run in one process of the root environment (.venv) per test session, whichever environment
the tests themselves run in, and end with it. Each test that writes gets a database of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from twd_shared.store.migrate import upgrade

ROOT = Path(__file__).parents[1]


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

    def database(self) -> str:
        """Address of a new empty database."""
        return self._ask(f"database test_{uuid.uuid4().hex[:12]}")

    def application(self) -> str:
        """Address of a new application database with its tables and no rows."""
        return self._ask(f"application app_{uuid.uuid4().hex[:12]}")

    def source(self, name: str, database: str | None = None) -> str:
        """Read-only address of a sample source: pagila, chinook or northwind."""
        return self._ask(f"source {name} {database or name}")

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
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    if not first:
        pytest.fail(f"The services ended with {process.wait()}; their messages are above.")
    yield Services(process, json.loads(first))
    assert process.stdin is not None
    process.stdin.close()
    process.wait(90)
    process.stdout.close()


@pytest.fixture(scope="session")
def _migrated_template(services: Services) -> str:
    dsn = services.database()
    upgrade(dsn)
    return dsn


@pytest.fixture
def metadata_dsn(services: Services, _migrated_template: str) -> str:
    """A metadata database of this test's own, with schema `twd` migrated and empty."""
    name = f"meta_{uuid.uuid4().hex[:12]}"
    template = sa.make_url(_migrated_template)
    engine = sa.create_engine(services.postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'create database "{name}" template "{template.database}"')
    engine.dispose()
    return template.set(database=name).render_as_string(hide_password=False)


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
