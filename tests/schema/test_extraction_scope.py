"""What extraction options leave of a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from twd_schema.extraction.reading import SchemaReader
from twd_schema.extraction.scope import scoped
from twd_shared.clients.catalog import Connection
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.errors import EmptySchema
from twd_shared.schema_model.models import (
    Collation,
    ColumnReference,
    EnumType,
    Extension,
    ForeignKey,
    Namespace,
    PartitionOf,
    Routine,
    Sequence,
    Snapshot,
    Table,
    TableStatistics,
)


def table(schema: str, name: str, **fields: Any) -> Table:
    return Table(schema=schema, name=name, kind="table", **fields)


def partition(name: str, parent: str) -> Table:
    return table("sales", name, partition_of=PartitionOf(schema="sales", table=parent, bound="…"))


def sequence(name: str, owner: ColumnReference | None) -> Sequence:
    return Sequence(
        schema="sales",
        name=name,
        type="bigint",
        start=1,
        increment=1,
        minimum=1,
        maximum=9,
        owner=owner,
    )


TO_AUDIT = ForeignKey(
    name="fk",
    columns=("a",),
    referenced_schema="audit",
    referenced_table="log",
    referenced_columns=("a",),
)
SNAPSHOT = Snapshot(
    dialect="postgresql",
    database_name="shop",
    server_version="18",
    tables=(
        table("audit", "log"),
        table("sales", "orders", foreign_keys=(TO_AUDIT,)),
        table("sales", "tmp_load"),
    ),
    partitions=(
        partition("orders_2024", "orders"),
        partition("orders_2025", "orders"),
        partition("orders_2025_q1", "orders_2025"),
    ),
    enums=(EnumType(schema="kinds", name="level", labels=("low",)),),
    sequences=(
        sequence("free", None),
        sequence("orders_id", ColumnReference(schema="sales", table="orders", column="id")),
        sequence("tmp_id", ColumnReference(schema="sales", table="tmp_load", column="id")),
    ),
    routines=(Routine(schema="audit", name="note", kind="function", arguments="", definition="…"),),
    extensions=(Extension(schema="public", name="citext", version="1"),),
    collations=(Collation(schema="kinds", name="bytes", provider="libc", locale="C"),),
    namespaces=tuple(
        Namespace(name=name) for name in ("audit", "empty", "kinds", "public", "sales")
    ),
    statistics=tuple(
        TableStatistics(schema=schema, table=name, row_estimate=1)
        for schema, name in (("audit", "log"), ("sales", "orders"), ("sales", "tmp_load"))
    ),
    granted=(("audit", "log"), ("sales", "orders")),
)


def tables_of(snapshot: Snapshot) -> list[str]:
    return [item.label for item in snapshot.tables]


def left(**options: Any) -> Snapshot:
    return scoped(SNAPSHOT, ExtractionOptions(**options))


def test_without_options_everything_stays() -> None:
    assert left() == SNAPSHOT


def test_what_is_included_stays_alone() -> None:
    assert tables_of(left(include=("sales.*",))) == ["sales.orders", "sales.tmp_load"]


def test_exclude_wins_over_include() -> None:
    chosen = left(include=("sales.*", "audit.log"), exclude=("*.tmp_*", "audit"))
    assert tables_of(chosen) == ["sales.orders"]


def test_statistics_go_with_their_table() -> None:
    remaining = left(exclude=("audit", "*.tmp_*")).statistics
    assert [item.table for item in remaining] == ["orders"]


def test_a_sequence_goes_with_the_table_that_owns_it_and_a_free_one_stays() -> None:
    remaining = left(exclude=("*.tmp_*",)).sequences
    assert [item.name for item in remaining] == ["free", "orders_id"]


def test_types_routines_extensions_and_collations_stay() -> None:
    remaining = left(include=("sales.tmp_load",))
    assert remaining.enums == SNAPSHOT.enums
    assert remaining.routines == SNAPSHOT.routines
    assert remaining.extensions == SNAPSHOT.extensions
    assert remaining.collations == SNAPSHOT.collations


def test_a_foreign_key_to_a_table_out_of_scope_stays() -> None:
    [orders] = left(include=("sales.orders",)).tables
    assert orders.foreign_keys == (TO_AUDIT,)


def test_what_the_role_was_granted_is_no_matter_of_scope() -> None:
    assert left(exclude=("audit",)).granted == SNAPSHOT.granted


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        # audit keeps a routine, kinds a type, public an extension.
        ({"exclude": ("audit",)}, "audit empty kinds public sales"),
        ({"exclude": ("*.tmp_*",)}, "audit empty kinds public sales"),
        ({"exclude": ("empty.*",)}, "audit kinds public sales"),
        ({"include": ("sales.*",)}, "audit kinds public sales"),
    ],
)
def test_a_schema_stays_with_what_stands_in_it(options: dict[str, Any], kept: str) -> None:
    assert [item.name for item in left(**options).namespaces] == kept.split()


def test_folded_partitions_follow_their_parent() -> None:
    assert left(include=("sales.orders",)).partitions == SNAPSHOT.partitions
    assert left(include=("sales.tmp_load",)).partitions == ()


def test_a_folded_partition_that_is_excluded_takes_its_own_with_it() -> None:
    remaining = left(exclude=("sales.orders_2025",)).partitions
    assert [item.name for item in remaining] == ["orders_2024"]


def test_listed_partitions_are_tables_in_their_place() -> None:
    listed = left(partitions="listed", exclude=("audit",))
    assert tables_of(listed) == [
        "sales.orders",
        "sales.orders_2024",
        "sales.orders_2025",
        "sales.orders_2025_q1",
        "sales.tmp_load",
    ]
    assert listed.partitions == ()


def test_a_listed_partition_is_chosen_by_its_own_name() -> None:
    assert tables_of(left(partitions="listed", include=("*.orders_2024",))) == ["sales.orders_2024"]


@pytest.fixture(scope="module")
def source(services: Any, execute: Callable[..., None]) -> str:
    dsn = services.database()
    execute(dsn, "create schema audit", "create table audit.log (a int)", "create table shop ()")
    return dsn


def reading(reader: SchemaReader, dsn: str, **options: Any) -> Snapshot:
    extraction = ExtractionOptions(**options)
    return reader.read(Connection("7", "shop", "postgresql", True, dsn, extraction))


def test_a_reading_gives_what_the_connection_wants(reader: SchemaReader, source: str) -> None:
    assert tables_of(reading(reader, source, exclude=("audit",))) == ["public.shop"]


def test_options_that_leave_no_table_are_no_reading(reader: SchemaReader, source: str) -> None:
    with pytest.raises(EmptySchema, match=r"connection 7 \(shop\) leave out all of its 2 tables"):
        reading(reader, source, include=("Audit.*",))
