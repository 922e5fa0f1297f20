"""Saves of one large snapshot, timed and counted: `python -m benchmarks.snapshot_saving ROUNDS`.

Runs in the schema location's environment. Reads the database that libpq's variables name, migrates
the empty metadata database at TWD_METADATA_DSN, and prints one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from statistics import median

import msgspec
import sqlalchemy as sa

from benchmarks.extraction_reading import read_source
from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.models import Column, Snapshot, Table
from twd_shared.settings import METADATA_DSN
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.migrate import upgrade
from twd_shared.store.snapshots import SnapshotStore

_CONNECTION_ID = "1"
_CHANGED_SHARE = 0.01
_OBJECT_TABLES = ("snapshot_objects", "schema_objects")


def main(arguments: Sequence[str]) -> int:
    """Save a snapshot for the first time, then unchanged in each round, then changed in part."""
    rounds = int(arguments[0])
    snapshot = read_source([])
    dsn = os.environ[METADATA_DSN.name]
    upgrade(dsn)
    database = MetadataDatabase(dsn)
    ConnectionRegistry(database).register(
        [Connection(_CONNECTION_ID, "benchmark", "postgresql", True, "")]
    )
    store = SnapshotStore(database)
    first = _save(store, snapshot)
    saved = _object_rows(database)
    unchanged = median(_save(store, snapshot) for _ in range(rounds))
    still = _object_rows(database)
    changed_tables = max(1, round(len(snapshot.tables) * _CHANGED_SHARE))
    changed = _save(store, _with_changes(snapshot, changed_tables))
    after = _object_rows(database)
    database.close()
    print(
        json.dumps(
            {
                "first_seconds": first,
                "unchanged_seconds": unchanged,
                "unchanged_rows": sum(still) - sum(saved),
                "changed_tables": changed_tables,
                "changed_seconds": changed,
                # One row that says since when, and one with the content.
                "changed_rows": [now - then for now, then in zip(after, still, strict=True)],
            }
        )
    )
    return 0


def _save(store: SnapshotStore, snapshot: Snapshot) -> float:
    started = time.perf_counter()
    store.save(_CONNECTION_ID, snapshot)
    return time.perf_counter() - started


def _object_rows(database: MetadataDatabase) -> list[int]:
    with database.begin() as transaction:
        return [
            transaction.execute(
                sa.select(sa.func.count()).select_from(sa.table(name, schema="twd"))
            ).scalar_one()
            for name in _OBJECT_TABLES
        ]


def _with_changes(snapshot: Snapshot, count: int) -> Snapshot:
    """The snapshot with a new column in so many tables, spread over all of them."""
    step = len(snapshot.tables) // count
    places = range(0, count * step, step)
    tables = list(snapshot.tables)
    for place in places:
        tables[place] = _widened(tables[place])
    return msgspec.structs.replace(snapshot, tables=tuple(tables))


def _widened(table: Table) -> Table:
    column = Column(name="added by the benchmark", type="integer")
    return msgspec.structs.replace(table, columns=(*table.columns, column))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
