"""Forgetting old versions: what is kept stays exact, what is used stays, the rest goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import chain, count
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twd_shared.clients.catalog import Connection
from twd_shared.errors import UnknownConnection
from twd_shared.schema_model.fingerprint import key_of, object_fingerprints
from twd_shared.schema_model.models import EnumType, Snapshot, decode_object, snapshot_of
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.index_states import IndexState, IndexStateStore
from twd_shared.store.snapshot_locks import lock_history
from twd_shared.store.snapshot_retention import forget_connection, forget_versions
from twd_shared.store.snapshots import SnapshotStore
from twd_shared.store.tables import model_versions, schema_diffs

from .kept_versions import add_knowledge_base, keep


def enum(name: str, *labels: str) -> EnumType:
    return EnumType(schema="public", name=name, labels=labels)


def snapshot(*objects: EnumType) -> Snapshot:
    return snapshot_of(
        sorted(objects, key=key_of),
        dialect="postgresql",
        database_name="shop",
        server_version="18.0",
    )


def contents(database: MetadataDatabase) -> set[str]:
    """Fingerprints of all contents that are stored."""
    with database.begin() as transaction:
        found = transaction.execute(sa.text("select fingerprint from twd.schema_objects"))
        return set(found.scalars())


def now(database: MetadataDatabase) -> datetime:
    with database.begin() as transaction:
        return transaction.execute(sa.text("select clock_timestamp()")).scalar_one()


def numbers(store: SnapshotStore, connection_id: str = "7") -> list[int]:
    return [version.version for version in store.versions(connection_id)]


def until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not fact():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.01)


def waits_for_a_lock(database: MetadataDatabase, kind: str) -> bool:
    query = sa.text("select count(*) from pg_locks where locktype = :kind and not granted")
    with database.begin() as transaction:
        return transaction.execute(query, {"kind": kind}).scalar_one() > 0


STAYS = enum("stays", "x")
HISTORY = [snapshot(STAYS, enum("changes", str(number))) for number in range(1, 6)]


@pytest.fixture
def store(database: MetadataDatabase, registry: ConnectionRegistry) -> SnapshotStore:
    """A store in which connection 7 has five versions, and 8 is known."""
    registry.register([Connection("8", "other", "postgresql", True, "postgresql://u@h/other")])
    made = SnapshotStore(database)
    for item in HISTORY:
        made.save("7", item)
    return made


def test_versions_that_ended_before_the_moment_are_forgotten(store: SnapshotStore) -> None:
    third = store.versions("7")[2]
    assert store.prune("7", before=third.taken_at + timedelta(microseconds=1)) == (1, 2)
    assert numbers(store) == [5, 4, 3]


def test_the_newest_version_and_those_to_keep_remain(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    keep(database, "7", [2])
    assert store.prune("7", before=now(database)) == (1, 3, 4)
    assert [store.load("7", version) for version in (2, 5)] == [HISTORY[1], HISTORY[4]]


def test_a_forgotten_version_says_so(store: SnapshotStore, database: MetadataDatabase) -> None:
    store.prune("7", before=now(database))
    with pytest.raises(UnknownConnection, match=r"version 2: .* retention has removed it"):
        store.load("7", 2)


def test_a_moment_of_a_forgotten_version_is_not_answered_with_another(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    of_third = store.versions("7")[2].taken_at
    keep(database, "7", [1])
    store.prune("7", before=now(database))
    query = sa.text("select * from twd.schema_as_of('7', :moment)")
    with (
        database.begin() as transaction,
        pytest.raises(sa.exc.DBAPIError, match="Connection 7 has no stored snapshot of 20"),
    ):
        transaction.execute(query, {"moment": of_third})


def test_contents_that_nothing_uses_any_more_are_deleted(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    store.save("8", HISTORY[0])
    store.prune("7", before=now(database))
    used = (object_fingerprints(item).values() for item in (HISTORY[0], HISTORY[4]))
    assert contents(database) == set(chain.from_iterable(used))


def test_pruning_again_forgets_nothing(store: SnapshotStore, database: MetadataDatabase) -> None:
    keep(database, "7", [2])
    store.prune("7", before=now(database))
    assert store.prune("7", before=now(database)) == ()
    assert numbers(store) == [5, 2]


def test_other_connections_keep_their_versions(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    for item in HISTORY:
        store.save("8", item)
    store.prune("7", before=now(database))
    assert [store.load("8", version) for version in range(1, 6)] == HISTORY


def test_the_version_that_the_schema_index_holds_remains(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    IndexStateStore(database).put(
        IndexState(
            connection_id="7",
            collection="c",
            model="m",
            model_digest="d",
            dimension=3,
            snapshot_version=3,
            content_hash="h",
            point_count=1,
        )
    )
    store.prune("7", before=now(database))
    assert numbers(store) == [5, 3]


def test_the_version_up_to_which_changes_were_told_remains(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    with database.begin() as transaction:
        for told in (2, 4):
            transaction.execute(
                sa.insert(schema_diffs).values(
                    connection_id="7",
                    from_version=told - 1,
                    to_version=told,
                    changes=[],
                    breaking_count=0,
                )
            )
    store.prune("7", before=now(database))
    assert numbers(store) == [5, 4]


@pytest.mark.parametrize(("is_live", "collections"), [(True, {}), (False, {"alias": "collection"})])
def test_the_version_of_a_knowledge_base_that_is_kept_remains(
    store: SnapshotStore,
    database: MetadataDatabase,
    is_live: bool,
    collections: dict[str, str],
) -> None:
    with database.begin() as transaction:
        add_knowledge_base(transaction, "7", 1, collections={})
        add_knowledge_base(transaction, "7", 2, collections=collections, is_live=is_live)
    store.prune("7", before=now(database))
    assert numbers(store) == [5, 2]


def test_a_save_that_is_about_to_use_a_content_keeps_it(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    store.save("8", snapshot())
    forgotten = object_fingerprints(HISTORY[0])[key_of(HISTORY[0].enums[0])]
    with ThreadPoolExecutor() as threads:
        with database.begin() as blocker:
            # The reference to connection 8 is checked when the content was already found.
            blocker.execute(
                sa.text("select from twd.connections where connection_id = '8' for update")
            )
            saving = threads.submit(store.save, "8", HISTORY[0])
            until(lambda: waits_for_a_lock(database, "transactionid"))
            pruning = threads.submit(store.prune, "7", now(database))
            until(lambda: waits_for_a_lock(database, "advisory"))
        saving.result(30)
        assert pruning.result(30) == (1, 2, 3, 4)
    assert forgotten in contents(database)
    assert store.load("8", 2) == HISTORY[0]


def test_a_save_that_comes_while_contents_are_deleted_stores_them_again(
    store: SnapshotStore, database: MetadataDatabase
) -> None:
    with ThreadPoolExecutor() as threads:
        with database.begin() as pruning:
            lock_history(pruning, "7")
            forget_versions(pruning, "7", now(database))
            saving = threads.submit(store.save, "8", HISTORY[0])
            until(lambda: waits_for_a_lock(database, "advisory"))
        saving.result(30)
    assert store.load("8", 1) == HISTORY[0]


def test_a_connection_that_is_listed_again_meanwhile_keeps_its_history(
    store: SnapshotStore, registry: ConnectionRegistry, database: MetadataDatabase
) -> None:
    registry.deactivate("7")
    with ThreadPoolExecutor() as threads:
        with database.begin() as saving:
            lock_history(saving, "7")
            forgetting = threads.submit(store.forget_gone, now(database))
            until(lambda: waits_for_a_lock(database, "advisory"))
            registry.register([Connection("7", "shop", "postgresql", True, "postgresql://u@h/s")])
        assert forgetting.result(30) == []
    assert numbers(store) == [5, 4, 3, 2, 1]


def test_nobody_lists_a_connection_again_while_its_history_is_forgotten(
    store: SnapshotStore, registry: ConnectionRegistry, database: MetadataDatabase
) -> None:
    registry.deactivate("7")
    again = Connection("7", "shop", "postgresql", True, "postgresql://u@h/s")
    with ThreadPoolExecutor() as threads:
        with database.begin() as forgetting:
            lock_history(forgetting, "7")
            assert forget_connection(forgetting, "7", now(database))
            registering = threads.submit(registry.register, [again])
            until(lambda: waits_for_a_lock(database, "transactionid"))
        registering.result(30)
    assert (numbers(store), registry.is_active("7")) == ([], True)


connection_ids = count(100)
states = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3),
    min_size=1,
    max_size=7,
)
kept = st.sets(st.integers(1, 7))


@given(states=states, keep_first=kept, keep_then=kept, later=states)
@settings(
    max_examples=25,
    # Each example has a connection of its own.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_kept_still_says_exactly_what_was_true_when(
    database: MetadataDatabase,
    registry: ConnectionRegistry,
    states: list[dict[str, str]],
    keep_first: set[int],
    keep_then: set[int],
    later: list[dict[str, str]],
) -> None:
    me = str(next(connection_ids))
    registry.register([Connection(me, "db", "postgresql", True, "postgresql://u@h/db")])
    store = SnapshotStore(database)
    saved: dict[int, Snapshot] = {}
    taken: dict[int, datetime] = {}

    def save(labels: dict[str, str]) -> None:
        item = snapshot(*(enum(name, label) for name, label in labels.items()))
        version = store.save(me, item).version
        saved[version.version] = item
        taken[version.version] = version.taken_at

    for state in states:
        save(state)
    keep(database, me, keep_first | keep_then)
    store.prune(me, now(database))
    for state in later:
        save(state)
    with database.begin() as transaction:
        mine = model_versions.c.connection_id == me
        no_longer = model_versions.c.snapshot_version.not_in(keep_then)
        transaction.execute(sa.delete(model_versions).where(mine, no_longer))
    store.prune(me, now(database))

    stored = sorted(numbers(store, me))
    assert stored == sorted({*(keep_then & saved.keys()), max(saved)})
    for version in stored:
        assert store.load(me, version) == saved[version]
    for version, moment in taken.items():
        expected = saved[version].objects if version in stored else ()
        assert objects_valid_at(database, me, moment) == list(expected)
    for one in stored:
        for other in (0, *stored):
            changes = store.changed_objects(me, other, one)
            before = object_fingerprints(saved[other]) if other else {}
            assert dict(changes) == differences(before, object_fingerprints(saved[one]))


def objects_valid_at(database: MetadataDatabase, connection_id: str, moment: datetime) -> list[Any]:
    query = sa.text(
        "select body::text from twd.object_history where connection_id = :id"
        " and valid_from <= :moment and (valid_to is null or valid_to > :moment)"
    )
    with database.begin() as transaction:
        bodies = transaction.execute(query, {"id": connection_id, "moment": moment}).scalars()
        return sorted((decode_object(body) for body in bodies), key=key_of)


def differences(before: dict[Any, str], after: dict[Any, str]) -> dict[Any, str]:
    return {
        **dict.fromkeys(before.keys() - after.keys(), "removed"),
        **dict.fromkeys(after.keys() - before.keys(), "added"),
        **{key: "modified" for key in before.keys() & after.keys() if before[key] != after[key]},
    }
