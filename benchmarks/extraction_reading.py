"""One extraction as the schema location does it, timed: `python -m benchmarks.extraction_reading`.

Runs in the schema location's environment, reads the database that libpq's variables (PGHOST …)
name and prints one JSON object. Imports are not timed: a code server has them behind it.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sa

from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.ddl import table_ddl
from twd_shared.schema_model.fingerprint import object_fingerprints, snapshot_fingerprint
from twd_shared.schema_model.models import Snapshot
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy


def read_source(sent: list[str]) -> Snapshot:
    """The snapshot of the database that libpq's variables name; `sent` gets the statements."""
    url = sa.URL.create(
        "postgresql",
        username=os.environ["PGUSER"],
        password=os.environ["PGPASSWORD"],
        host=os.environ["PGHOST"],
        port=int(os.environ["PGPORT"]),
        database=os.environ["PGDATABASE"],
    )
    reader = SchemaReader(
        frozenset({"postgresql"}), ReadLimits(statement_seconds=600), reach_policy("loopback", "")
    )
    text = url.render_as_string(hide_password=False)
    return reader.read(Connection("0", "benchmark", "postgresql", True, text), sent.append)


def main() -> int:
    """Read, make the DDL and the fingerprints, and print how long each took."""
    sent: list[str] = []
    begun = time.perf_counter()
    snapshot = read_source(sent)
    read = time.perf_counter()
    relations = snapshot.relations
    # Held until the end, for those who want all of it at once.
    texts = [table_ddl(table, snapshot.dialect) for table in relations]
    written = time.perf_counter()
    fingerprints = object_fingerprints(snapshot)
    snapshot_fingerprint(fingerprints)
    ended = time.perf_counter()
    print(
        json.dumps(
            {
                "seconds": ended - begun,
                "parts": {
                    "read": read - begun,
                    "DDL": written - read,
                    "fingerprints": ended - written,
                },
                "peak_mib": _peak_mib(),
                "statements": len(sent),
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


def _peak_mib() -> float:
    # Not ru_maxrss: that begins with what the process that started this one had used.
    status = Path("/proc/self/status").read_text()
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak) / 1024


if __name__ == "__main__":
    sys.exit(main())
