"""Ids in the snapshot store: what they prove is kept, and nothing is lost or made up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from twd_shared.clients.catalog import Connection
from twd_shared.schema_model.fingerprint import object_fingerprints, snapshot_fingerprint
from twd_shared.schema_model.identities import Identities, Identity
from twd_shared.schema_model.models import Column, Snapshot, Table
from twd_shared.schema_model.renames import Rename, renames_between
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.descriptions import DescriptionStore
from twd_shared.store.snapshots import SnapshotStore
from twd_shared.store.table_identities import KnownIdentity, known_since

from .kept_versions import keep


@pytest.fixture
def database(metadata_dsn: str) -> Iterator[MetadataDatabase]:
    made = MetadataDatabase(metadata_dsn)
    ConnectionRegistry(made).register([Connection("7", "shop", "postgresql", True, "")])
    yield made
    made.close()


@pytest.fixture
def store(database: MetadataDatabase) -> SnapshotStore:
    return SnapshotStore(database)


def reading(
    *tables: tuple[str, int, dict[str, int]], origin: str = "here", ids: bool = True
) -> Snapshot:
    """A snapshot of tables: (name, id, number by column)."""
    return Snapshot(
        dialect="postgresql",
        database_name="shop",
        server_version="18",
        tables=tuple(
            Table(
                schema="s",
                name=name,
                kind="table",
                columns=tuple(Column(name=column, type="integer") for column in columns),
            )
            for name, _, columns in sorted(tables)
        ),
        identities=Identities(
            origin=origin,
            objects=tuple(
                Identity("table", "s", name, number, tuple(columns), tuple(columns.values()))
                for name, number, columns in tables
            ),
        )
        if ids
        else None,
    )


COLUMNS = {"id": 1, "note": 2}


def renamed(old: str, new: str, old_member: str = "", new_member: str = "") -> Rename:
    return Rename(
        kind="table",
        old=("s", old),
        new=("s", new),
        old_member=old_member,
        new_member=new_member,
    )


def rows(database: MetadataDatabase, table: str) -> list[Any]:
    with database.begin() as transaction:
        return list(transaction.execute(sa.text(f"select xmin, * from twd.{table}")))


def test_ids_are_no_part_of_the_fingerprint() -> None:
    fingerprints = {
        snapshot_fingerprint(object_fingerprints(item))
        for item in (reading(("a", 5, COLUMNS)), reading(("a", 9, COLUMNS), origin="elsewhere"))
    }
    assert len(fingerprints) == 1


def test_an_unchanged_save_with_the_same_ids_writes_none(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    store.save("7", reading(("a", 5, COLUMNS)))
    before = rows(database, "table_identities")
    store.save("7", reading(("a", 5, COLUMNS)))
    assert rows(database, "table_identities") == before


def test_a_rename_of_table_and_column_is_kept_with_its_version(store: SnapshotStore) -> None:
    store.save("7", reading(("a", 5, COLUMNS)))
    store.save("7", reading(("b", 5, {"id": 1, "text": 2})))
    proven = store.renames("7", 1, 2)
    assert proven.complete
    assert set(proven.items) == {renamed("a", "b"), renamed("a", "b", "note", "text")}


def test_another_origin_proves_nothing(store: SnapshotStore) -> None:
    store.save("7", reading(("a", 5, COLUMNS)))
    store.save("7", reading(("b", 5, COLUMNS), origin="elsewhere"))
    proven = store.renames("7", 1, 2)
    assert (proven.items, proven.complete) == ((), False)


WIDE = {"id": 1, "at": 2, "by": 3, "note": 4}


def test_ids_prove_a_rename_though_the_server_was_started_anew(store: SnapshotStore) -> None:
    store.save("7", reading(("a", 5, WIDE), origin="here monday"))
    store.save("7", reading(("b", 5, WIDE | {"more": 5}), origin="here tuesday"))
    proven = store.renames("7", 1, 2)
    assert (proven.items, proven.complete) == ((renamed("a", "b"),), True)


@pytest.mark.parametrize(
    "other",
    [("weather", 5, {"id": 1, "wind": 2, "by": 3, "town": 4}), ("weather", 5, {"id": 1})],
    ids=["other columns", "fewer columns"],
)
def test_ids_that_a_server_gave_to_something_else_after_a_new_start_prove_nothing(
    store: SnapshotStore, other: tuple[str, int, dict[str, int]]
) -> None:
    store.save("7", reading(("a", 5, WIDE), ("c", 6, COLUMNS), origin="here monday"))
    store.save("7", reading(other, ("d", 6, COLUMNS), origin="here tuesday"))
    proven = store.renames("7", 1, 2)
    assert (proven.items, proven.complete) == ((), False)


INVOICES = {"id": 1, "total": 2, "note": 3}


def test_a_table_that_was_made_otherwise_with_its_old_id_after_a_new_start_proves_nothing() -> None:
    """As a migration does that was edited and is run again on a server that was set back."""
    proven = renames_between(
        reading(("a", 5, INVOICES), ("c", 6, COLUMNS), origin="here monday"),
        reading(("a", 5, {"id": 1, "due": 2, "town": 3}), ("d", 6, COLUMNS), origin="here tuesday"),
    )
    assert (proven.items, proven.complete) == ((), False)


@pytest.mark.parametrize(
    ("columns", "renamed_columns"),
    [
        ({"id": 1, "worth": 2, "note": 3, "more": 4}, {"total": "worth"}),
        ({"id": 1, **{f"column {number}": number for number in range(4, 20)}}, {}),
    ],
    ids=["one renamed", "others instead"],
)
def test_columns_that_were_changed_in_use_are_proven_over_a_new_start(
    columns: dict[str, int], renamed_columns: dict[str, str]
) -> None:
    proven = renames_between(
        reading(("a", 5, INVOICES), ("c", 6, COLUMNS), origin="here monday"),
        reading(("a", 5, columns), ("d", 6, COLUMNS), origin="here tuesday"),
    )
    told = [renamed("a", "a", *names) for names in renamed_columns.items()]
    assert (proven.items, proven.complete) == ((*told, renamed("c", "d")), True)


def test_an_equal_schema_of_another_origin_gives_the_ids_for_the_next_rename(
    store: SnapshotStore,
) -> None:
    store.save("7", reading(("a", 5, COLUMNS)))
    store.save("7", reading(("a", 8, COLUMNS), origin="elsewhere"))
    store.save("7", reading(("b", 8, COLUMNS), origin="elsewhere"))
    assert store.renames("7", 1, 2).items == (renamed("a", "b"),)


def test_a_table_that_was_made_again_the_same_is_known_by_its_new_id(
    store: SnapshotStore,
) -> None:
    store.save("7", reading(("a", 5, COLUMNS)))
    store.save("7", reading(("a", 6, COLUMNS)))
    store.save("7", reading(("b", 6, COLUMNS), ("c", 5, COLUMNS)))
    assert renamed("a", "c") not in store.renames("7", 1, 2).items


def test_a_column_of_a_table_that_was_made_again_was_not_renamed(store: SnapshotStore) -> None:
    store.save("7", reading(("a", 5, COLUMNS)))
    store.save("7", reading(("a", 5, {"id": 1, "text": 2})))
    store.save("7", reading(("a", 6, {"id": 1, "text": 2, "more": 3})))
    assert store.renames("7", 1, 2).items == (renamed("a", "a", "note", "text"),)
    assert store.renames("7", 1, 3).items == ()


def test_the_first_ids_after_an_upgrade_prove_nothing_of_before(store: SnapshotStore) -> None:
    store.save("7", reading(("a", 5, COLUMNS), ids=False))
    store.save("7", reading(("b", 5, COLUMNS)))
    assert not store.renames("7", 1, 2).complete


def test_a_version_without_ids_breaks_the_proof(store: SnapshotStore) -> None:
    store.save("7", reading(("a", 5, COLUMNS)))
    store.save("7", reading(("x", 5, COLUMNS), ids=False))
    store.save("7", reading(("b", 5, COLUMNS)))
    proven = store.renames("7", 1, 3)
    assert (proven.items, proven.complete) == ((), False)


def test_what_a_reading_hides_keeps_its_id(store: SnapshotStore) -> None:
    both = (("a", 5, COLUMNS), ("b", 6, COLUMNS))
    hidden = ("table", "s", "a")
    store.save("7", reading(*both))
    shown = reading(*both, ("c", 7, COLUMNS))
    assert shown.identities is not None
    # The table is carried over, without an id in this reading.
    part = Identities(origin="here", objects=shown.identities.objects[1:])
    store.save("7", _with(shown, part), [hidden])
    store.save("7", reading(("z", 5, COLUMNS), ("b", 6, COLUMNS), ("c", 7, COLUMNS)))
    assert store.renames("7", 2, 3).items == (renamed("a", "z"),)


def test_what_is_hidden_was_not_renamed_to_what_has_its_id(store: SnapshotStore) -> None:
    store.save("7", reading(("a", 5, COLUMNS)))
    shown = reading(("a", 5, COLUMNS), ("b", 5, COLUMNS))
    assert shown.identities is not None
    part = Identities(origin="here", objects=shown.identities.objects[1:])
    store.save("7", _with(shown, part), [("table", "s", "a")])
    assert store.renames("7", 1, 2).items == ()


def _with(snapshot: Snapshot, identities: Identities) -> Snapshot:
    return Snapshot(
        dialect=snapshot.dialect,
        database_name=snapshot.database_name,
        server_version=snapshot.server_version,
        tables=snapshot.tables,
        identities=identities,
    )


def test_a_rename_outlives_the_version_that_brought_it_while_an_older_one_is_kept(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    for name in ("a", "b", "c"):
        store.save("7", reading((name, 5, COLUMNS)))
    keep(database, "7", [1])
    assert store.prune("7", datetime.now(UTC) + timedelta(days=1)) == (2,)
    assert store.renames("7", 1, 3).items == (renamed("a", "c"),)


def test_renames_go_when_no_version_from_before_them_is_kept(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    for name in ("a", "b", "c"):
        store.save("7", reading((name, 5, COLUMNS)))
    store.prune("7", datetime.now(UTC) + timedelta(days=1))
    assert rows(database, "renames") == []


def test_what_people_said_goes_with_a_rename(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    said = DescriptionStore(database)
    store.save("7", reading(("a", 5, COLUMNS), ("b", 6, COLUMNS), ("c", 7, COLUMNS)))
    said.edit("7", ("s", "a"), "", "The first")
    said.edit("7", ("s", "a"), "note", "Note of the first")
    said.edit("7", ("s", "b"), "", "The second")
    said.edit("7", ("s", "c"), "note", "Note of the third")
    # Two change their names, one of them a column's as well, and the third a column's alone.
    swapped = {"id": 1, "remark": 2}
    store.save("7", reading(("b", 5, swapped), ("a", 6, COLUMNS), ("c", 7, swapped)))
    assert said.of_people("7") == {
        ("s", "b"): {"": "The first", "remark": "Note of the first"},
        ("s", "a"): {"": "The second"},
        ("s", "c"): {"remark": "Note of the third"},
    }


def test_what_was_dropped_and_made_again_takes_nobodys_words_with_it(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    said = DescriptionStore(database)
    store.save("7", reading(("a", 5, COLUMNS)))
    said.edit("7", ("s", "a"), "", "The first")
    store.save("7", reading(("b", 6, COLUMNS)))
    assert said.of_people("7") == {("s", "a"): {"": "The first"}}


@pytest.mark.parametrize("is_seen", [False, True], ids=["at once", "in steps"])
def test_words_stay_with_a_table_that_is_rebuilt_under_its_name(
    store: SnapshotStore, database: MetadataDatabase, *, is_seen: bool
) -> None:
    said = DescriptionStore(database)
    store.save("7", reading(("orders", 5, COLUMNS)))
    said.edit("7", ("s", "orders"), "", "What was ordered")
    said.edit("7", ("s", "orders"), "note", "Of the customer")
    if is_seen:
        store.save("7", reading(("orders", 5, COLUMNS), ("orders_new", 9, COLUMNS)))
    store.save("7", reading(("orders_old", 5, COLUMNS), ("orders", 9, COLUMNS)))
    words = {"": "What was ordered", "note": "Of the customer"}
    assert said.of_people("7") == {("s", "orders"): words, ("s", "orders_old"): words}
    store.save("7", reading(("orders", 9, COLUMNS)))
    assert said.of_people("7")["s", "orders"] == words


def test_words_stay_with_a_column_that_is_rebuilt_under_its_name(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    said = DescriptionStore(database)
    store.save("7", reading(("a", 5, {"id": 1, "price": 2})))
    said.edit("7", ("s", "a"), "price", "In euros")
    store.save("7", reading(("a", 5, {"id": 1, "price": 2, "price_new": 3})))
    store.save("7", reading(("a", 5, {"id": 1, "price_old": 2, "price": 3})))
    assert said.of_people("7") == {("s", "a"): {"price": "In euros", "price_old": "In euros"}}
    store.save("7", reading(("a", 5, {"id": 1, "price": 3})))
    assert said.of_people("7")["s", "a"]["price"] == "In euros"


def test_another_table_that_takes_the_name_gets_no_words_of_the_one_before(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    said = DescriptionStore(database)
    other = {"key": 1, "value": 2}
    store.save("7", reading(("a", 5, COLUMNS), ("b", 6, other)))
    said.edit("7", ("s", "a"), "", "The first")
    said.edit("7", ("s", "a"), "note", "Note of the first")
    store.save("7", reading(("a", 6, other)))
    assert said.of_people("7") == {}


def test_a_schema_of_many_tables_is_renamed(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    """So many that a server would not parse a list of their names."""
    said = DescriptionStore(database)
    tables = [(f"t{number}", number, {"id": 1}) for number in range(12_000)]
    store.save("7", reading(*tables))
    said.edit("7", ("s", "t7"), "id", "A key")
    moved = reading(*((f"u{number}", number, columns) for _, number, columns in tables))
    store.save("7", moved)
    assert said.of_people("7") == {("s", "u7"): {"id": "A key"}}


def test_the_members_of_a_large_enum_are_not_compared_each_with_each() -> None:
    compared = 0

    class Number(int):
        __slots__ = ()
        __hash__ = int.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return int.__eq__(self, other)

    def enum(count: int) -> Identity:
        # Beyond 256, so that equal numbers are not the same objects.
        numbers = tuple(Number(number + 1000) for number in range(count))
        return Identity("enum", "s", "e", 9, tuple(map(str, numbers)), numbers)

    before, after = enum(2000), enum(2001)
    read = Identities(origin="o", objects=(after,))
    since = (*[1] * 1999, 2)
    [known] = known_since(read, {before.lasting: KnownIdentity(before, 1, since)}, 3)
    assert known.member_since == (*since, 3)
    assert compared < 20 * 2000


def test_words_on_a_table_that_has_gone_give_way_to_those_of_one_that_takes_its_name(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    said = DescriptionStore(database)
    store.save("7", reading(("a", 5, COLUMNS), ("b", 6, COLUMNS)))
    said.edit("7", ("s", "a"), "", "The first")
    said.edit("7", ("s", "b"), "", "The second")
    store.save("7", reading(("a", 6, COLUMNS)))
    assert said.of_people("7") == {("s", "a"): {"": "The second"}}
