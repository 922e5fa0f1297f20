"""What a role is no longer shown is kept until a reading proves it gone, on a real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from twd_schema.extraction.limits import ReadLimits
from twd_schema.extraction.reachability import reach_policy
from twd_schema.extraction.reading import SchemaReader
from twd_schema.history.recording import DropPolicy, Recording, SnapshotRecorder
from twd_shared.clients.catalog import Connection
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.store.snapshots import SnapshotStore

TABLES = ("customers", "orders", "visits")


@pytest.fixture
def database(server: Any) -> str:
    return server.database(*(f"create table {name} (id int primary key)" for name in TABLES))


@pytest.fixture
def role(server: Any, database: str) -> str:
    """A user with a grant on each table, and none on the database."""
    return server.role(*(f"select on {database}.{name}" for name in TABLES))


@pytest.fixture
def snapshots(metadata_dsn: str) -> SnapshotStore:
    return MetadataStoreResource(dsn=metadata_dsn).snapshots


@pytest.fixture
def record(server: Any, database: str, role: str, metadata_dsn: str) -> Callable[..., Recording]:
    """Record what the role sees, once already done: record(extraction options)."""
    store = MetadataStoreResource(dsn=metadata_dsn)
    reader = SchemaReader(frozenset({"mysql"}), ReadLimits(), reach_policy("loopback", ""))
    policy = DropPolicy(share=0.5, confirm_seconds=0)
    recorder = SnapshotRecorder(reader, store.snapshots, store.connections, policy)

    def recording(**options: Any) -> Recording:
        return recorder.record(
            Connection(
                "7",
                "shop",
                "mysql",
                True,
                server.dsn(database, role),
                ExtractionOptions(**options),
            )
        )

    store.connections.register([Connection("7", "shop", "mysql", True, server.dsn(database, role))])
    recording()
    return recording


def revoke(server: Any, database: str, table: str, role: str) -> None:
    for host in ("127.0.0.1", "localhost"):
        server.execute(f"revoke select on {database}.{table} from {role}@'{host}'")


def stored(snapshots: SnapshotStore) -> list[str]:
    return [table.name for table in snapshots.load_newest("7")[1].tables]


def test_a_table_whose_grant_is_revoked_is_kept_as_unconfirmed(
    server: Any, database: str, role: str, record: Callable[..., Recording], snapshots: Any
) -> None:
    revoke(server, database, "orders", role)
    recording = record()
    key = ("table", database, "orders")
    assert (recording.saved.removed, recording.unconfirmed) == ((), (key,))
    assert stored(snapshots) == list(TABLES)
    assert snapshots.newest("7").unconfirmed == (key,)


def test_a_table_that_is_granted_and_gone_is_removed(
    server: Any, database: str, record: Callable[..., Recording], snapshots: Any
) -> None:
    server.execute("drop table orders", database=database)
    recording = record()
    assert recording.unconfirmed == ()
    assert stored(snapshots) == ["customers", "visits"]


def test_a_table_that_is_granted_again_is_confirmed(
    server: Any, database: str, role: str, record: Callable[..., Recording], snapshots: Any
) -> None:
    revoke(server, database, "orders", role)
    record()
    for host in ("127.0.0.1", "localhost"):
        server.execute(f"grant select on {database}.orders to {role}@'{host}'")
    assert record().unconfirmed == ()
    assert snapshots.newest("7").unconfirmed == ()


def test_a_change_of_another_table_is_recorded_beside_an_unconfirmed_one(
    server: Any, database: str, role: str, record: Callable[..., Recording], snapshots: Any
) -> None:
    revoke(server, database, "orders", role)
    server.execute("alter table visits add at date", database=database)
    saved = record().saved
    assert saved.modified == (("table", database, "visits"),)
    assert stored(snapshots) == list(TABLES)


def test_a_table_that_is_revoked_and_left_out_by_the_options_is_let_go(
    server: Any, database: str, role: str, record: Callable[..., Recording], snapshots: Any
) -> None:
    revoke(server, database, "orders", role)
    recording = record(exclude=("*.orders",))
    assert recording.unconfirmed == ()
    assert stored(snapshots) == ["customers", "visits"]
