"""The servers that tests use, for benchmarks: PostgreSQL, the Qdrant front, the Ollama protocol."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]


class Services:
    """The running servers' addresses, and databases made on request."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Talk to the process through its standard input and output."""
        self._process = process
        addresses = self._read()
        self.qdrant: str = addresses["qdrant"]
        self.ollama: str = addresses["ollama"]
        self.embed_model: str = addresses["embed_model"]

    def database(self, name: str) -> str:
        """Address of a new empty database."""
        return self._ask(f"database {name}")

    def application(self, name: str) -> str:
        """Address of a new application database with its tables and no rows."""
        return self._ask(f"application {name}")

    def source(self, name: str) -> str:
        """Read-only address of a sample source: pagila, chinook or northwind."""
        return self._ask(f"source {name} {name}")

    def _ask(self, command: str) -> str:
        assert self._process.stdin is not None  # noqa: S101 - opened as a pipe
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._read()["dsn"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - opened as a pipe
        answer = json.loads(self._process.stdout.readline() or '{"error": "the servers ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer


@contextmanager
def services() -> Iterator[Services]:
    """The servers, started now and stopped at the end."""
    process = subprocess.Popen(
        [str(_ROOT / ".venv/bin/python"), "-m", "twd_local.services"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Services(process)
    finally:
        process.communicate()
