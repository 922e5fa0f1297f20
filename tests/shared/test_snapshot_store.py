"""The snapshot store: unchanged readings are free, every version can be loaded again."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
import sqlalchemy as sa

from twd_shared.errors import UnknownConnection
from twd_shared.schema_model.models import Column, Snapshot, Table
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshot_locks import lock_history
from twd_shared.store.snapshots import SnapshotStore


def snapshot(*tables: Table) -> Snapshot:
    return Snapshot(
        dialect="postgresql", database_name="shop", server_version="16.4", tables=tables
    )


def table(name: str, *columns: str) -> Table:
    return Table(
        schema="public",
        name=name,
        kind="table",
        columns=tuple(Column(name=column, type="integer") for column in columns),
    )


A = snapshot(table("customers", "id"), table("orders", "id"))
B = snapshot(table("customers", "id", "name"), table("items", "id"))


@pytest.fixture
def store(database: MetadataDatabase, registry: ConnectionRegistry) -> SnapshotStore:
    return SnapshotStore(database)


def rows(database: MetadataDatabase, name: str) -> int:
    with database.begin() as transaction:
        return transaction.execute(sa.text(f"select count(*) from twd.{name}")).scalar_one()


def wait_for_lock(database: MetadataDatabase) -> None:
    """Until a transaction waits for an advisory lock."""
    query = sa.text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with database.begin() as transaction:
            if transaction.execute(query).scalar_one():
                return
        time.sleep(0.01)
    pytest.fail("No transaction waited for a lock.")


def test_a_save_says_what_changed(store: SnapshotStore) -> None:
    first = store.save("7", A)
    assert (first.version.version, first.previous, len(first.added)) == (1, None, 2)
    second = store.save("7", B)
    assert second.added == (("table", "public", "items"),)
    assert second.removed == (("table", "public", "orders"),)
    assert second.modified == (("table", "public", "customers"),)


def test_an_unchanged_save_writes_no_row_and_confirms_the_version(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    first = store.save("7", A)
    names = ("snapshots", "snapshot_objects", "schema_objects")
    before = [rows(database, name) for name in names]
    again = store.save("7", A)
    assert (again.added, again.removed, again.modified) == ((), (), ())
    assert [rows(database, name) for name in names] == before
    assert again.version.version == 1
    assert again.version.confirmed_at > first.version.confirmed_at


def test_a_schema_that_goes_back_gives_a_new_version_with_the_old_fingerprint(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    saved = [store.save("7", item).version for item in (A, B, A)]
    assert [item.version for item in saved] == [1, 2, 3]
    assert saved[0].fingerprint == saved[2].fingerprint != saved[1].fingerprint
    assert rows(database, "schema_objects") == 4  # the contents of A are stored once


def test_any_version_can_be_loaded(store: SnapshotStore, database: MetadataDatabase) -> None:
    for item in (A, B, A):
        store.save("7", item)
    reader = SnapshotStore(database)
    assert [reader.load("7", version) for version in (1, 2, 3)] == [
        snapshot(*sorted(item.tables, key=lambda one: one.name)) for item in (A, B, A)
    ]


def test_all_versions_are_listed_newest_first(store: SnapshotStore) -> None:
    saved = [store.save("7", item).version for item in (A, B)]
    listed = store.versions("7")
    assert [item.version for item in listed] == [2, 1]
    assert listed[0] == saved[1]
    assert (listed[1].ended_at, listed[0].ended_at) == (listed[0].taken_at, None)


def test_a_version_is_dated_after_the_save_that_it_waited_for(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    with database.begin() as transaction, ThreadPoolExecutor() as threads:
        lock_history(transaction, "7")
        waiting = threads.submit(store.save, "7", A)
        wait_for_lock(database)
        until = transaction.execute(sa.text("select clock_timestamp()")).scalar_one()
        transaction.rollback()
        assert waiting.result(30).version.taken_at > until


def test_what_a_reading_could_tell_is_that_of_the_last_one(store: SnapshotStore) -> None:
    store.save("7", A)
    later = msgspec.structs.replace(A, server_version="17.1", unknown=("comments",))
    assert store.save("7", later).version.version == 1
    assert store.load("7", 1) == later


def test_what_a_reading_could_not_confirm_is_said_with_the_version(store: SnapshotStore) -> None:
    orders = ("table", "public", "orders")
    store.save("7", A)
    assert store.save("7", A, unconfirmed=[orders]).version.unconfirmed == (orders,)
    assert store.versions("7")[0].unconfirmed == (orders,)
    assert store.save("7", B, unconfirmed=[orders]).version.unconfirmed == (orders,)
    assert store.save("7", B).version.unconfirmed == ()


def test_connections_do_not_see_each_other(
    store: SnapshotStore, registry: ConnectionRegistry
) -> None:
    store.save("7", A)
    assert store.newest("8") is None
    with pytest.raises(UnknownConnection, match="schema_import_job"):
        store.load_newest("8")
    with pytest.raises(UnknownConnection, match="no stored snapshot of version 2"):
        store.load("7", 2)
