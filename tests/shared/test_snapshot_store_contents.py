"""What the snapshot store writes and gives back: every kind of object, and no row too many."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twd_shared.schema_model.fingerprint import key_of
from twd_shared.schema_model.identities import Identity
from twd_shared.schema_model.models import (
    Collation,
    Column,
    CompositeType,
    DomainType,
    EnumType,
    Extension,
    Namespace,
    ObjectKind,
    PartitionOf,
    RangeType,
    Routine,
    SchemaObject,
    Sequence,
    Snapshot,
    Table,
    TableStatistics,
    UnknownFact,
    snapshot_of,
)
from twd_shared.store import snapshot_contents
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore

# A NUL is in no name or comment that a server gives; the others are in some.
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8
) | st.sampled_from(['a"b', "c\n\td", "\\u0000", "'; drop table x --", "bảng 💥", "‮שם", "{}"])


def values_of(hint: typing.Any) -> st.SearchStrategy[typing.Any]:
    """Any value of a type that the snapshot model uses."""
    arguments = typing.get_args(hint)
    if hint is str:
        return TEXT
    if hint is int:
        return st.integers(-(2**63), 2**63 - 1)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        fields = typing.get_type_hints(hint)
        return st.builds(hint, **{name: values_of(field) for name, field in fields.items()})
    if typing.get_origin(hint) is types.UnionType:
        return st.one_of([values_of(argument) for argument in arguments])
    if typing.get_origin(hint) is tuple and arguments[-1] is Ellipsis:
        return st.lists(values_of(arguments[0]), max_size=2).map(tuple)
    if typing.get_origin(hint) is tuple:
        return st.tuples(*map(values_of, arguments))
    return st.from_type(hint)


OBJECTS = [values_of(kind) for kind in typing.get_args(SchemaObject)]
UNKNOWN = st.lists(st.sampled_from(typing.get_args(UnknownFact)), unique=True, max_size=3)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    objects = draw(st.lists(st.one_of(OBJECTS), max_size=6, unique_by=key_of))
    return snapshot_of(
        sorted(objects, key=key_of),
        dialect=draw(TEXT),
        database_name=draw(TEXT),
        server_version=draw(TEXT),
        unknown=tuple(draw(UNKNOWN)),
    )


def snapshot_with(*objects: SchemaObject) -> Snapshot:
    return snapshot_of(objects, dialect="postgresql", database_name="shop", server_version="18.0")


def tables(count: int, changed: int = 0) -> list[Table]:
    """Tables of which the first `changed` have a type that they else have not."""
    return [
        Table(
            schema="public",
            name=f"t{number}",
            kind="table",
            columns=(Column(name=f"c{number}", type="text" if number < changed else "integer"),),
        )
        for number in range(count)
    ]


ONE_OF_EACH: dict[ObjectKind, SchemaObject] = {
    "table": Table(schema="s", name="o", kind="view"),
    "enum": EnumType(schema="s", name="o", labels=("b", "a")),
    "domain": DomainType(schema="s", name="o", type="integer"),
    "partition": Table(
        schema="s",
        name="o",
        kind="table",
        partition_of=PartitionOf(schema="s", table="p", bound="DEFAULT"),
    ),
    "composite": CompositeType(schema="s", name="o", attributes=(Column(name="a", type="text"),)),
    "range": RangeType(schema="s", name="o", options=("subtype = integer",)),
    "sequence": Sequence(
        schema="s", name="o", type="bigint", start=1, increment=1, minimum=1, maximum=2**63 - 1
    ),
    "routine": Routine(schema="s", name="o", kind="function", arguments="int", definition="…"),
    "extension": Extension(schema="s", name="o", version="1"),
    "namespace": Namespace(name="o"),
    "collation": Collation(schema="s", name="o", provider="icu", locale="und"),
}


@pytest.fixture
def store(database: MetadataDatabase, registry: ConnectionRegistry) -> SnapshotStore:
    return SnapshotStore(database)


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that are sent to any database meanwhile."""
    sent: list[str] = []

    def note(*arguments: typing.Any) -> None:
        sent.append(arguments[2])

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(sa.Engine, "before_cursor_execute", note)


def written_by_the_last_save(database: MetadataDatabase) -> dict[str, int]:
    """Rows that the transaction wrote which wrote the newest version's row, by table."""
    names = ("schema_objects", "snapshot_objects", "table_statistics")
    by_it = "xmin = (select xmin from twd.snapshots order by version desc limit 1)"
    with database.begin() as transaction:
        return {
            name: transaction.execute(
                sa.text(f"select count(*) from twd.{name} where {by_it}")
            ).scalar_one()
            for name in names
        }


@given(st.data())
@settings(
    max_examples=60,
    # The examples are versions of one history: that is as good a start as an empty one.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_snapshot_comes_back_as_it_was_saved(
    store: SnapshotStore, database: MetadataDatabase, data: st.DataObject
) -> None:
    snapshot = data.draw(snapshots())
    version = store.save("7", snapshot).version
    assert SnapshotStore(database).load_newest("7") == (version, snapshot)


@pytest.mark.parametrize("kind", typing.get_args(ObjectKind))
def test_an_object_of_each_kind_has_its_history(
    store: SnapshotStore, database: MetadataDatabase, kind: ObjectKind
) -> None:
    before = ONE_OF_EACH[kind]
    after = msgspec.structs.replace(before, comment="said later")
    history = [snapshot_with(), snapshot_with(before), snapshot_with(after), snapshot_with()]
    _, added, modified, removed = [store.save("7", item) for item in history]
    assert added.added == modified.modified == removed.removed
    assert [key[0] for key in added.added] == [kind]
    reader = SnapshotStore(database)
    assert [reader.load("7", version) for version in (1, 2, 3, 4)] == history


def test_what_a_later_release_wrote_of_a_kind_of_its_own_is_left_out(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    table, other = ONE_OF_EACH["table"], ONE_OF_EACH["collation"]
    store.save("7", snapshot_with(table, other))
    with database.begin() as transaction:
        for statement in (
            "update twd.schema_objects set kind = 'later', body = body || '{\"object\": \"later\"}'"
            " where kind = 'collation'",
            "update twd.snapshot_objects set kind = 'later' where kind = 'collation'",
        ):
            transaction.execute(sa.text(statement))
    reader = SnapshotStore(database)
    assert reader.load("7", 1) == snapshot_with(table)
    assert reader.save("7", snapshot_with(table)).removed == (("later", "s", "o"),)
    assert reader.load("7", 2) == snapshot_with(table)
    assert Identity("later", "s", "o", 5).lasting == ("later", 5)


def test_contents_that_a_store_has_saved_or_loaded_are_not_read_again(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    before, after = snapshot_with(*tables(9)), snapshot_with(*tables(9, changed=5))
    store.save("7", before)
    with statements() as sent:
        assert store.load("7", 1) == before
    assert not any("body" in statement for statement in sent)
    store.save("7", after)
    reader = SnapshotStore(database)
    reader.load("7", 1)
    with database.begin() as transaction:
        transaction.execute(
            sa.text(
                "update twd.schema_objects set body = '{}' where fingerprint in (select fingerprint"
                " from twd.snapshot_objects where from_version = 1 and to_version is null)"
            )
        )
    assert reader.load("7", 2) == after


def test_a_store_that_keeps_few_contents_gives_the_same_snapshots(
    store: SnapshotStore, database: MetadataDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = [snapshot_with(*tables(9, changed=changed)) for changed in (0, 5, 9)]
    for snapshot in history:
        store.save("7", snapshot)
    monkeypatch.setattr(snapshot_contents, "_MOST_KEPT", 7)
    reader = SnapshotStore(database)
    assert [reader.load("7", version) for version in (1, 2, 3, 1)] == [*history, history[0]]


def test_a_save_writes_the_changed_objects_and_no_other(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    store.save("7", snapshot_with(*tables(500)))
    store.save("7", snapshot_with(*tables(500, changed=5)))
    # Of each changed object one row ends and one starts.
    assert written_by_the_last_save(database) == {
        "schema_objects": 5,
        "snapshot_objects": 10,
        "table_statistics": 0,
    }


def test_an_unchanged_save_writes_no_object_and_no_statistics(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    same = msgspec.structs.replace(
        snapshot_with(*tables(500)),
        statistics=(TableStatistics(schema="public", table="t1", row_estimate=3),),
    )
    store.save("7", same)
    store.save("7", same)
    assert set(written_by_the_last_save(database).values()) == {0}


def test_a_save_takes_as_many_statements_for_many_objects_as_for_one(
    store: SnapshotStore,
) -> None:
    counts: list[int] = []
    for count in (1, 500):
        store.save("7", snapshot_with(*tables(count)))
        with statements() as sent:
            store.save("7", snapshot_with(*tables(count, changed=count)))
        counts.append(len(sent))
    assert counts[0] == counts[1]


def test_statistics_are_those_of_the_last_reading(store: SnapshotStore) -> None:
    few = TableStatistics(schema="s", table="b", row_estimate=3, categories={"c": ("x", "y")})
    none = TableStatistics(schema="s", table="a")
    many = msgspec.structs.replace(few, row_estimate=9_000_000_000)
    assert store.statistics("7") == ()
    store.save("7", msgspec.structs.replace(snapshot_with(), statistics=(few, none)))
    assert store.statistics("7") == (none, few)
    store.save("7", msgspec.structs.replace(snapshot_with(), statistics=(many,)))
    assert store.statistics("7") == (many,)


def test_other_statistics_are_no_new_version(store: SnapshotStore) -> None:
    store.save("7", snapshot_with())
    other = msgspec.structs.replace(
        snapshot_with(), statistics=(TableStatistics(schema="s", table="a", size_bytes=8192),)
    )
    assert store.save("7", other).version.version == 1
