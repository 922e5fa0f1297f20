"""The history of a schema: as it was at a moment, and what changed, in Python and in SQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from twd_shared.errors import UnknownConnection
from twd_shared.schema_model.fingerprint import key_of, object_fingerprints
from twd_shared.schema_model.models import (
    Column,
    EnumType,
    Snapshot,
    Table,
    TableStatistics,
    decode_object,
    snapshot_of,
)
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore
from twd_shared.store.tables import SCHEMA_NAME

AN_INSTANT = timedelta(microseconds=1)


def table(name: str, *columns: str) -> Table:
    return Table(
        schema="public",
        name=name,
        kind="table",
        columns=tuple(Column(name=column, type="integer") for column in columns),
    )


def snapshot(*objects: Table | EnumType) -> Snapshot:
    return snapshot_of(objects, dialect="postgresql", database_name="shop", server_version="18.0")


STATUS = EnumType(schema="public", name="status", labels=("open", "paid"))
A = snapshot(table("customers", "id"), table("orders", "id"))
B = snapshot(STATUS, table("customers", "id", "name"), table("items", "id"))
FROM_A_TO_B = [
    (("enum", "public", "status"), "added"),
    (("table", "public", "customers"), "modified"),
    (("table", "public", "items"), "added"),
    (("table", "public", "orders"), "removed"),
]
FROM_B_TO_A = [
    (("enum", "public", "status"), "removed"),
    (("table", "public", "customers"), "modified"),
    (("table", "public", "items"), "removed"),
    (("table", "public", "orders"), "added"),
]


@pytest.fixture
def store(database: MetadataDatabase, registry: ConnectionRegistry) -> SnapshotStore:
    """A store in which connection 7 was A, then B, then A again."""
    made = SnapshotStore(database)
    for item in (A, B, A):
        made.save("7", item)
    return made


@pytest.fixture
def moments(store: SnapshotStore) -> list[datetime]:
    """When versions 1, 2 and 3 were taken."""
    return [version.taken_at for version in reversed(store.versions("7"))]


def rows(database: MetadataDatabase, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with database.begin() as transaction:
        return [tuple(row) for row in transaction.execute(sa.text(query), parameters)]


def test_any_two_versions_can_be_compared_in_either_direction(store: SnapshotStore) -> None:
    assert store.changed_objects("7", 1, 2) == FROM_A_TO_B
    assert store.changed_objects("7", 2, 1) == FROM_B_TO_A
    assert store.changed_objects("7", 1, 3) == []
    assert store.changed_objects("7", 2, 2) == []


def test_a_version_can_be_compared_with_nothing(store: SnapshotStore) -> None:
    assert store.changed_objects("7", 0, 1) == [(key_of(item), "added") for item in A.tables]


def test_a_version_that_is_not_stored_cannot_be_compared(store: SnapshotStore) -> None:
    with pytest.raises(UnknownConnection, match="Connection 7 has no stored snapshot of version 4"):
        store.changed_objects("7", 1, 4)


def test_the_schema_of_a_moment_is_the_version_that_was_newest_then(
    database: MetadataDatabase, moments: list[datetime]
) -> None:
    first, second, third = moments
    expected = ((first, 1, A), (second, 2, B), (third - AN_INSTANT, 2, B), (third, 3, A))
    for moment, version, schema in expected:
        found = rows(
            database,
            "select version, body::text from twd.schema_as_of('7', :moment)"
            " order by kind, schema_name, object_name",
            moment=moment,
        )
        assert {version for version, _ in found} == {version}
        assert [decode_object(body) for _, body in found] == sorted(schema.objects, key=key_of)


def test_a_moment_before_the_first_reading_is_refused(
    database: MetadataDatabase, moments: list[datetime]
) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="Connection 7 has no stored snapshot of 20"):
        rows(
            database,
            "select * from twd.schema_as_of('7', :moment)",
            moment=moments[0] - AN_INSTANT,
        )


def test_a_where_clause_on_the_history_gives_the_schema_of_a_moment(
    store: SnapshotStore, database: MetadataDatabase, moments: list[datetime]
) -> None:
    at_moment = rows(
        database,
        "select body::text from twd.object_history where partition_key = 'shop'"
        " and valid_from <= :moment and (valid_to is null or valid_to > :moment)"
        " order by kind, schema_name, object_name",
        moment=moments[2] - AN_INSTANT,
    )
    assert [decode_object(body) for (body,) in at_moment] == sorted(B.objects, key=key_of)


def test_the_history_of_an_object_says_when_it_had_which_content(
    store: SnapshotStore, database: MetadataDatabase, moments: list[datetime]
) -> None:
    old, new = (object_fingerprints(item)[key_of(item.tables[0])] for item in (A, B))
    first, second, third = moments
    assert rows(
        database,
        "select from_version, to_version, valid_from, valid_to, fingerprint"
        " from twd.object_history where object_name = 'customers' order by from_version",
    ) == [
        (1, 2, first, second, old),
        (2, 3, second, third, new),
        (3, None, third, None, old),
    ]


def test_sql_gives_the_changes_between_two_versions_with_their_contents(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    before, after = object_fingerprints(A), object_fingerprints(B)
    customers = key_of(A.tables[0])
    changes = rows(
        database,
        "select object_name, change, from_fingerprint, to_fingerprint"
        " from twd.schema_changes('7', 1, 2) order by object_name",
    )
    assert changes == [
        ("customers", "modified", before[customers], after[customers]),
        ("items", "added", None, after[key_of(B.tables[1])]),
        ("orders", "removed", before[key_of(A.tables[1])], None),
        ("status", "added", None, after[key_of(STATUS)]),
    ]


def test_sql_refuses_to_compare_a_version_that_is_not_stored(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="Connection 7 has no stored snapshot of version 9"):
        rows(database, "select * from twd.schema_changes('7', 9, 1)")


def test_each_version_shows_its_changes_against_the_one_before(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    changes = rows(
        database,
        "select version, previous_version, kind, schema_name, object_name, change"
        " from twd.version_changes where partition_key = 'shop'"
        " order by version, kind, schema_name, object_name",
    )
    assert changes == [
        *((1, 0, *key_of(item), "added") for item in A.tables),
        *((2, 1, *key, change) for key, change in FROM_A_TO_B),
        *((3, 2, *key, change) for key, change in FROM_B_TO_A),
    ]


def test_the_views_of_the_current_schema_show_tables_only(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    store.save("7", B)
    assert rows(
        database, "select table_name, column_count from twd.current_tables order by table_name"
    ) == [("customers", 2), ("items", 1)]
    assert rows(
        database,
        "select table_name, position, column_name from twd.current_columns"
        " order by table_name, position",
    ) == [("customers", 1, "id"), ("customers", 2, "name"), ("items", 1, "id")]


def test_a_view_shows_the_statistics_of_the_last_reading(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    statistics = (
        TableStatistics(
            schema="public", table="customers", row_estimate=5, size_bytes=2**40, categories={}
        ),
        TableStatistics(schema="public", table="orders", categories={"status": ("open", "paid")}),
    )
    store.save("7", msgspec.structs.replace(A, statistics=statistics))
    assert rows(
        database,
        "select partition_key, schema_name, table_name, row_estimate, size_bytes, categories"
        " from twd.current_table_statistics order by table_name",
    ) == [
        ("shop", "public", "customers", 5, 2**40, {}),
        ("shop", "public", "orders", None, None, {"status": ["open", "paid"]}),
    ]


def test_what_people_read_says_what_it_is(database: MetadataDatabase) -> None:
    uncommented = rows(
        database,
        "select relname from pg_class where relnamespace = to_regnamespace(:name)"
        " and relkind = 'v' and obj_description(oid, 'pg_class') is null"
        " union all select proname from pg_proc where pronamespace = to_regnamespace(:name)"
        " and obj_description(oid, 'pg_proc') is null",
        name=SCHEMA_NAME,
    )
    assert uncommented == []
