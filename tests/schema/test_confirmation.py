"""What a reading proves gone, and what it merely did not see."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from twd_schema.history.confirmation import (
    as_seen_last,
    carried_forward,
    hides_facts,
    is_landslide,
    unconfirmed_tables,
    unseen,
    vanished,
)
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.schema_model.fingerprint import key_of
from twd_shared.schema_model.models import (
    Column,
    Constraint,
    EnumType,
    Key,
    ObjectKey,
    PartitionOf,
    Sequence,
    Snapshot,
    Table,
    TableKind,
    TableStatistics,
    UnknownFact,
)


def table(name: str, parent: str | None = None) -> Table:
    place = PartitionOf(schema="shop", table=parent, bound="DEFAULT") if parent else None
    return Table(schema="shop", name=name, kind="table", partition_of=place)


MOOD = EnumType(schema="shop", name="mood", labels=("ok",))
COUNTER = Sequence(
    schema="shop", name="counter", type="bigint", start=1, increment=1, minimum=1, maximum=9
)
BEFORE = Snapshot(
    dialect="mysql",
    database_name="shop",
    server_version="8.0",
    tables=(table("customers"), table("orders")),
    partitions=(table("orders_1", "orders"),),
    enums=(MOOD,),
    sequences=(COUNTER,),
)
KNOWN = {key_of(item) for item in BEFORE.objects}
NOTHING = Snapshot(dialect="mysql", database_name="shop", server_version="8.4")


def keys(*names: str, kind: str = "table") -> set[ObjectKey]:
    return {(kind, "shop", name) for name in names}  # pyright: ignore[reportReturnType]


def test_a_server_that_shows_all_proves_what_it_lacks_absent() -> None:
    assert unseen(KNOWN, NOTHING) == set()
    assert vanished(KNOWN, NOTHING) == {("shop", "customers"), ("shop", "orders")}


def test_a_table_that_is_not_granted_is_unknown_and_has_not_vanished() -> None:
    read = msgspec.structs.replace(NOTHING, granted=(("shop", "orders"),))
    assert unseen(KNOWN, read) == keys("customers") | keys("orders_1", kind="partition")
    assert vanished(KNOWN, read) == {("shop", "orders")}


def test_a_grant_on_a_table_of_the_same_name_elsewhere_proves_nothing() -> None:
    read = msgspec.structs.replace(NOTHING, granted=(("other", "orders"),))
    assert ("table", "shop", "orders") in unseen(KNOWN, read)


def test_a_kind_that_the_dialect_cannot_tell_is_unknown() -> None:
    read = msgspec.structs.replace(NOTHING, unknown=("enums", "partitions"))
    assert unseen(KNOWN, read) == keys("mood", kind="enum")


def test_what_is_seen_is_neither_unknown_nor_gone() -> None:
    shown = tuple((item.schema, item.name) for item in BEFORE.relations)
    read = msgspec.structs.replace(BEFORE, granted=shown, unknown=("enums", "sequences"))
    assert (unseen(KNOWN, read), vanished(KNOWN, read)) == (set(), set())


def test_what_was_never_known_is_not_missed() -> None:
    assert (unseen((), BEFORE), vanished((), BEFORE)) == (set(), set())


def test_unknown_objects_are_carried_forward_as_they_were() -> None:
    read = msgspec.structs.replace(
        BEFORE,
        server_version="8.4",
        tables=(table("visits"),),
        partitions=(),
        granted=(("shop", "visits"),),
        statistics=(TableStatistics(schema="shop", table="visits", row_estimate=3),),
        unknown=("comments",),
    )
    whole = carried_forward(read, BEFORE, unseen(KNOWN, read))
    assert whole == msgspec.structs.replace(
        read,
        tables=(table("customers"), table("orders"), table("visits")),
        partitions=BEFORE.partitions,
    )


def test_a_table_that_is_shown_in_part_is_unknown_and_has_not_vanished() -> None:
    read = msgspec.structs.replace(BEFORE, granted=(("shop", "orders"),), partitions=())
    assert unseen(keys("customers", "orders"), read) == keys("customers")
    assert vanished(keys("customers", "orders"), read) == set()


def relation(*columns: str, kind: TableKind = "table", **facts: Any) -> Table:
    listed = tuple(Column(name=name, type="int") for name in columns)
    return Table(schema="shop", name="orders", kind=kind, columns=listed, **facts)


def reading(item: Table, *unknown: UnknownFact) -> Snapshot:
    return msgspec.structs.replace(NOTHING, tables=(item,), unknown=unknown)


def test_of_a_table_that_is_shown_in_part_the_rest_is_carried_forward() -> None:
    unique = (Key(name="uk", columns=("secret",)),)
    before = reading(relation("id", "secret", "total", unique_constraints=unique))
    changed = Column(name="total", type="bigint")
    part = msgspec.structs.replace(relation("id"), columns=(*relation("id").columns, changed))
    whole = carried_forward(reading(part), before, keys("orders"))
    [id_, secret, _] = before.tables[0].columns
    assert whole.tables == (
        msgspec.structs.replace(before.tables[0], columns=(id_, secret, changed)),
    )


def test_a_new_column_of_a_table_that_is_shown_in_part_is_believed() -> None:
    whole = carried_forward(
        reading(relation("id", "at")), reading(relation("id", "secret")), keys("orders")
    )
    assert whole.tables == (relation("id", "secret", "at"),)


def test_a_table_that_is_shown_in_part_and_was_never_known_is_as_it_is_shown() -> None:
    read = reading(relation("id"))
    assert carried_forward(read, NOTHING, ()) == read


def test_a_query_that_is_hidden_is_carried_forward() -> None:
    before = reading(relation("id", kind="view", definition="select 1"))
    read = reading(relation("id", "at", kind="view"), "definitions")
    whole = carried_forward(read, before, ())
    assert whole.tables == (relation("id", "at", kind="view", definition="select 1"),)


def test_a_query_that_is_shown_beside_hidden_ones_is_believed() -> None:
    before = reading(relation("id", kind="view", definition="select 1"))
    read = reading(relation("id", kind="view", definition="select 2"), "definitions")
    assert carried_forward(read, before, ()) == read


def test_a_table_in_the_place_of_a_view_does_not_get_its_query() -> None:
    before = reading(relation("id", kind="view", definition="select 1"))
    read = reading(relation("id"), "definitions")
    assert carried_forward(read, before, ()) == read


@pytest.mark.parametrize("unknown", [(), ("check_constraints",)])
def test_checks_are_carried_forward_only_where_they_are_unknown(
    unknown: tuple[UnknownFact, ...],
) -> None:
    checks = (Constraint(name="ck", definition="CHECK (id > 0)"),)
    whole = carried_forward(
        reading(relation("id"), *unknown), reading(relation("id", constraints=checks)), ()
    )
    assert whole.tables[0].constraints == (checks if unknown else ())


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [("definitions", True), ("check_constraints", True), ("routines", False)],
)
def test_a_reading_hides_facts_of_tables_or_not(unknown: UnknownFact, expected: bool) -> None:
    assert hides_facts(reading(relation("id"), unknown)) is expected


def test_carrying_nothing_forward_changes_nothing() -> None:
    assert carried_forward(BEFORE, NOTHING, ()) == BEFORE


@pytest.mark.parametrize(
    ("known", "gone", "share", "expected"),
    [
        (10, 4, 0.3, True),
        (10, 3, 0.3, False),
        (10, 0, 0.3, False),
        (10, 0, 0.0, False),
        (10, 1, 0.0, True),
        (10, 10, 1.0, False),
        (2, 1, 0.3, True),
        (0, 0, 0.3, False),
    ],
)
def test_more_than_the_share_of_the_known_tables_is_a_landslide(
    known: int, gone: int, share: float, expected: bool
) -> None:
    tables = keys(*(f"t{number}" for number in range(known)))
    lost = [("shop", f"t{number}") for number in range(gone)]
    # Other objects do not make the share smaller.
    others = keys(*(f"e{number}" for number in range(50)), kind="enum")
    assert is_landslide(tables | others, lost, share) is expected


def test_unconfirmed_tables_are_told_by_label_in_order() -> None:
    assert unconfirmed_tables(KNOWN) == ["shop.customers", "shop.orders"]


@pytest.mark.parametrize(
    ("read", "known"),
    [
        (NOTHING, None),
        (msgspec.structs.replace(BEFORE, granted=(("shop", "customers"),)), keys("customers")),
        (msgspec.structs.replace(NOTHING, unknown=("check_constraints",)), set[ObjectKey]()),
    ],
    ids=["it tells all", "it hides nothing that is known", "nothing is known"],
)
def test_what_was_seen_last_is_not_loaded_for_a_reading_that_hides_none_of_it(
    read: Snapshot, known: set[ObjectKey] | None
) -> None:
    assert as_seen_last(read, ExtractionOptions(), pytest.fail, known) == (read, set())


def test_of_what_was_seen_last_only_what_is_still_wanted_is_kept() -> None:
    read = msgspec.structs.replace(NOTHING, granted=())
    whole, kept = as_seen_last(read, ExtractionOptions(exclude=("shop.orders",)), lambda: BEFORE)
    assert [item.name for item in whole.tables] == ["customers"]
    assert kept == keys("customers")
