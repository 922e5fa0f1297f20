"""One extraction as the schema location does it, timed: `python -m benchmarks.extraction_reading`.

Runs in the schema location's environment, reads the database that libpq's variables (PGHOST …)
name and prints one JSON object. Imports are not timed: a code server has them behind it.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import asyncpg

from twd_schema.extraction.address import SourceAddress
from twd_schema.extraction.limits import ReadLimits
from twd_schema.extraction.postgresql import reading
from twd_schema.extraction.postgresql.statements import STATEMENTS
from twd_shared.schema_model.ddl import table_ddl
from twd_shared.schema_model.fingerprint import object_fingerprints, snapshot_fingerprint
from twd_shared.schema_model.models import Snapshot

_LIMITS = ReadLimits(statement_seconds=600)


def read_source() -> Snapshot:
    """The snapshot of the database that libpq's variables name."""
    address = SourceAddress(
        dialect="postgresql",
        host=os.environ["PGHOST"],
        port=int(os.environ["PGPORT"]),
        database=os.environ["PGDATABASE"],
        user=os.environ["PGUSER"],
        password=os.environ["PGPASSWORD"],
    )
    return asyncio.run(reading.read_postgresql("benchmark", address, _LIMITS))


@dataclass(slots=True)
class _Stopwatch:
    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started


def main() -> int:
    """Read, make the DDL and the fingerprints, and print how long each took."""
    connect, build, read, ddl, fingerprint = (_Stopwatch() for _ in range(5))
    with (
        _timed_coroutine(asyncpg, "connect", connect),
        _timed(reading, "build_snapshot", build),
        read.running(),
    ):
        snapshot = read_source()
    relations = (*snapshot.tables, *snapshot.partitions)
    with ddl.running():
        # Held until the end, for those who want all of it at once.
        texts = [table_ddl(table) for table in relations]
    with fingerprint.running():
        fingerprints = object_fingerprints(snapshot)
        snapshot_fingerprint(fingerprints)
    print(
        json.dumps(
            {
                "seconds": read.seconds + ddl.seconds + fingerprint.seconds,
                "parts": {
                    "connect": connect.seconds,
                    "fetch": read.seconds - connect.seconds - build.seconds,
                    "build": build.seconds,
                    "DDL": ddl.seconds,
                    "fingerprints": fingerprint.seconds,
                },
                "peak_mib": _peak_mib(),
                "statements": len(STATEMENTS),
                "tables": len(snapshot.tables),
                "partitions": len(snapshot.partitions),
                "columns": sum(len(table.columns) for table in relations),
                "objects": len(fingerprints),
                "ddl_characters": sum(map(len, texts)),
                "server": snapshot.server_version,
                "client": f"Python {platform.python_version()}, asyncpg {version('asyncpg')}",
            }
        )
    )
    return 0


@contextmanager
def _timed(owner: ModuleType, name: str, watch: _Stopwatch) -> Iterator[None]:
    """Time what the reader calls by this name; the call itself stays the real one."""
    function: Callable[..., Any] = getattr(owner, name)

    def call(*arguments: Any, **named: Any) -> Any:
        with watch.running():
            return function(*arguments, **named)

    with patch.object(owner, name, call):
        yield


@contextmanager
def _timed_coroutine(owner: ModuleType, name: str, watch: _Stopwatch) -> Iterator[None]:
    function: Callable[..., Any] = getattr(owner, name)

    async def call(*arguments: Any, **named: Any) -> Any:
        with watch.running():
            return await function(*arguments, **named)

    with patch.object(owner, name, call):
        yield


def _peak_mib() -> float:
    # Not ru_maxrss: that begins with what the process that started this one had used.
    status = Path("/proc/self/status").read_text()
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak) / 1024


if __name__ == "__main__":
    sys.exit(main())
