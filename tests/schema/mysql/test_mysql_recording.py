"""What a role is no longer shown is kept until a reading proves it gone, on a real server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from twd_schema.extraction.reading import SchemaReader
from twd_schema.history.recording import DropPolicy, Recording, SnapshotRecorder
from twd_shared.clients.catalog import Connection
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.schema_model.models import Table
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy
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


def revoke(server: Any, database: str, table: str, role: str, what: str = "select") -> None:
    for host in ("127.0.0.1", "localhost"):
        server.execute(f"revoke {what} on {database}.{table} from {role}@'{host}'")


def grant(server: Any, database: str, table: str, role: str, what: str = "select") -> None:
    for host in ("127.0.0.1", "localhost"):
        server.execute(f"grant {what} on {database}.{table} to {role}@'{host}'")


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


def test_a_table_that_the_server_cannot_open_is_kept_until_it_can(
    server: Any, database: str, record: Callable[..., Recording], snapshots: Any
) -> None:
    if not server.is_mariadb:
        pytest.skip("MySQL opens no table to tell of it.")
    with closing(server.session()) as session, session.cursor() as cursor:
        cursor.execute("select @@datadir")
        [folder] = cursor.fetchone()
    file = Path(folder) / database / "orders.frm"
    whole = file.read_bytes()
    file.write_bytes(b"broken")
    server.execute("flush tables", "drop table visits", database=database)
    recording = record()
    assert recording.unconfirmed == (("table", database, "orders"),)
    assert stored(snapshots) == ["customers", "orders"]
    file.write_bytes(whole)
    server.execute("flush tables", "drop table orders", database=database)
    assert record().unconfirmed == ()
    assert stored(snapshots) == ["customers"]


def test_a_table_that_is_granted_again_is_confirmed(
    server: Any, database: str, role: str, record: Callable[..., Recording], snapshots: Any
) -> None:
    revoke(server, database, "orders", role)
    record()
    grant(server, database, "orders", role)
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


PRICES = """
create table prices (id int primary key, c int check (c > 0), secret int, unique key uk (secret));
create view cheap as select id from prices where c < 5;
"""


class TestLostPrivileges:
    """A role of the whole database, which may then only read columns of a table, and a view."""

    @pytest.fixture
    def database(self, server: Any) -> str:
        return server.database(PRICES)

    @pytest.fixture
    def role(self, server: Any, database: str) -> str:
        return server.role(f"select, show view on {database}.*")

    @pytest.fixture
    def narrowed(
        self, server: Any, database: str, role: str, record: Callable[..., Recording]
    ) -> Callable[..., Recording]:
        """Records again, after the role has lost what it had."""
        revoke(server, database, "*", role, "select, show view")
        grant(server, database, "prices", role, "select (id, c)")
        grant(server, database, "cheap", role)
        return record

    def test_they_change_nothing_that_was_known(
        self, database: str, narrowed: Callable[..., Recording], snapshots: SnapshotStore
    ) -> None:
        _, before = snapshots.load_newest("7")
        recording = narrowed()
        assert (recording.saved.modified, recording.saved.removed) == ((), ())
        assert snapshots.load_newest("7")[1].objects == before.objects
        assert recording.unconfirmed == (("table", database, "prices"),)

    def test_a_column_that_is_shown_still_changes(
        self, server: Any, database: str, narrowed: Callable[..., Recording], snapshots: Any
    ) -> None:
        server.execute("alter table prices modify c bigint", database=database)
        narrowed()
        [_, prices] = snapshots.load_newest("7")[1].tables
        assert [column.name for column in prices.columns] == ["id", "c", "secret"]
        assert prices.columns[1].type.startswith("bigint")

    def test_a_drop_is_believed_when_the_whole_table_is_granted_again(
        self,
        server: Any,
        database: str,
        role: str,
        narrowed: Callable[..., Recording],
        snapshots: Any,
    ) -> None:
        server.execute("alter table prices drop secret", database=database)
        narrowed()
        grant(server, database, "prices", role)
        assert narrowed().unconfirmed == ()
        assert [column.name for column in snapshots.load_newest("7")[1].tables[1].columns] == [
            "id",
            "c",
        ]


def test_a_table_that_is_never_shown_whole_is_recorded_as_it_is_shown(
    server: Any, record: Callable[..., Recording], database: str, role: str, snapshots: Any
) -> None:
    server.execute("create table prices (id int, secret int)", database=database)
    grant(server, database, "prices", role, "select (id)")
    record()
    prices: Table = snapshots.load_newest("7")[1].tables[2]
    assert (prices.name, [column.name for column in prices.columns]) == ("prices", ["id"])


def test_a_table_with_a_nul_in_its_comments_is_recorded(
    server: Any, record: Callable[..., Recording], database: str, role: str, snapshots: Any
) -> None:
    server.execute(r"create table notes (a int comment 'x\0y') comment 'n\0z'", database=database)
    grant(server, database, "notes", role)
    record()
    assert stored(snapshots) == ["customers", "notes", "orders", "visits"]
