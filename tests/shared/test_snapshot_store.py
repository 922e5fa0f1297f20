"""The snapshot store: unchanged readings are free, every version can be loaded again."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from twd_shared.errors import UnknownConnection
from twd_shared.schema_model.models import (
    Column,
    Constraint,
    DomainType,
    EnumType,
    ForeignKey,
    Index,
    Key,
    Snapshot,
    Table,
)
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore


def snapshot(*tables: Table, **fields: object) -> Snapshot:
    return Snapshot(
        dialect="postgresql",
        database_name="shop",
        server_version="16.4",
        tables=tables,
        **fields,
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


def test_any_version_can_be_loaded(store: SnapshotStore) -> None:
    for item in (A, B, A):
        store.save("7", item)
    assert [store.load("7", version) for version in (1, 2, 3)] == [
        snapshot(*sorted(item.tables, key=lambda one: one.name)) for item in (A, B, A)
    ]


def test_the_version_of_a_moment_can_be_asked(store: SnapshotStore) -> None:
    first, second = (store.save("7", item).version for item in (A, B))
    an_instant = timedelta(microseconds=1)
    assert store.version_at("7", first.taken_at - an_instant) is None
    between = store.version_at("7", second.taken_at - an_instant)
    latest = store.version_at("7", second.taken_at)
    assert between is not None
    assert latest is not None
    assert (between.version, latest.version) == (1, 2)


def test_everything_a_snapshot_knows_comes_back(store: SnapshotStore) -> None:
    rich = snapshot(
        Table(
            schema='sch"ema',
            name="bảng 💥; drop table x",
            kind="partitioned_table",
            columns=(
                Column(
                    name="a\nb",
                    type="numeric(10,2)",
                    nullable=False,
                    default="'x'::text",
                    collation='pg_catalog."C"',
                    comment="tiếng Việt",
                ),
                Column(name="i", type="integer", identity="by default"),
                Column(name="g", type="integer", generated="i * 2", virtual=True),
            ),
            primary_key=Key(name="pk", columns=("a\nb", "i")),
            unique_constraints=(Key(name="u", columns=("i",)),),
            foreign_keys=(
                ForeignKey(
                    name="f",
                    columns=("i",),
                    referenced_schema="other",
                    referenced_table="t",
                    referenced_columns=("id",),
                    on_delete="CASCADE",
                    deferrable=True,
                    initially_deferred=True,
                ),
            ),
            constraints=(Constraint(name="c", definition="CHECK (i > 0)"),),
            indexes=(Index(name="x", columns=("i",), unique=True, definition="CREATE INDEX …"),),
            partition_key="RANGE (i)",
            comment="{}",
        ),
        enums=(EnumType(schema="s", name="e", labels=("b", "a")),),
        domains=(DomainType(schema="s", name="d", type="integer", nullable=False, default="1"),),
        unknown=("comments", "partitions"),
    )
    store.save("7", rich)
    assert store.load_newest("7")[1] == rich


def test_connections_do_not_see_each_other(
    store: SnapshotStore, registry: ConnectionRegistry
) -> None:
    store.save("7", A)
    assert store.newest("8") is None
    with pytest.raises(UnknownConnection, match="schema_import_job"):
        store.load_newest("8")
    with pytest.raises(UnknownConnection, match="no stored snapshot of version 2"):
        store.load("7", 2)
