"""A process that forks a child for each job on the schema index, so that children can be killed.

Run as a script: everything is imported once, and a child begins at once. Each line of standard
input is a job as JSON; the answers are the child's pid, and then, when it has ended, its status.
The child begins when a second line comes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from twd_schema.indexing.migration import IndexMigration, MigrationOptions
from twd_schema.indexing.publication import Publisher
from twd_shared.clients import ollama
from twd_shared.clients.catalog import Connection
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.qdrant import open_client
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore


class Worker:
    """The process, as a test sees it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, **job: Any) -> int:
        """Fork a child for the job; gives its pid. It waits until `end` is called."""
        self._say(json.dumps(job))
        return int(self._hear())

    def end(self) -> int:
        """Let the child work; gives its exit status, below zero if it was killed by a signal."""
        self._say("go")
        return int(self._hear())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def work(job: dict[str, Any]) -> None:
    """Publish connection 7, or migrate, on the servers that the job names."""
    # Small batches, so that a few tables are many requests.
    ollama.TEXTS_IN_A_CALL = 2
    database = MetadataDatabase(job["dsn"])
    index = SchemaIndex(open_client(job["qdrant"]), job["alias"])
    client = Ollama(job["ollama"], job["model"])
    if job["what"] == "publish":
        version, snapshot = SnapshotStore(database).load_newest("7")
        connection = Connection("7", "shop", "postgresql", True, "")
        Publisher(index, client, database).publish(connection, snapshot, version.version)
    else:
        migration = IndexMigration(index, client, database, lambda _: None)
        migration.run(MigrationOptions(rebuild=True))


def main() -> None:
    """Obey until standard input ends."""
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.read(reading, 1)
            status = 1
            try:
                work(json.loads(line))
                status = 0
            finally:
                os._exit(status)
        print(child, flush=True)
        sys.stdin.readline()
        os.write(writing, b"x")
        _, status = os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
