"""The names of the library's locks, which two releases share, and who has one beside whom."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.index_locks import IndexLocks
from twd_shared.store.locks import take_lock
from twd_shared.store.snapshot_locks import lock_contents, lock_history, share_contents


def held(database: MetadataDatabase) -> set[int]:
    """The keys of the advisory locks in the database."""
    query = sa.text(
        "select (classid::bigint << 32) | objid::bigint from pg_locks where locktype = 'advisory'"
        " and database = (select oid from pg_database where datname = current_database())"
    )
    with database.begin() as transaction:
        return set(transaction.execute(query).scalars())


def keys(database: MetadataDatabase, *names: str) -> set[int]:
    query = sa.text("select hashtextextended(name, 0) from unnest(:names) as name")
    with database.begin() as transaction:
        return set(transaction.execute(query, {"names": list(names)}).scalars())


def test_a_lock_of_the_history_has_the_name_of_the_releases_before(
    database: MetadataDatabase,
) -> None:
    with database.begin() as transaction:
        lock_history(transaction, "7")
        share_contents(transaction)
        assert held(database) == keys(database, "twd.snapshots:7", "twd.schema_objects")
    with database.begin() as transaction:
        lock_contents(transaction)
        assert held(database) == keys(database, "twd.schema_objects")


def test_a_lock_of_the_index_has_the_name_of_the_releases_before(
    database: MetadataDatabase,
) -> None:
    locks = IndexLocks(database, "index")
    of_one = ("twd.schema_index.served:index", "twd.schema_index.connection:7 index")
    for lock, names in (
        (locks.migrating(), ("twd.schema_index.migration:index",)),
        (locks.changing(), ("twd.schema_index.served:index",)),
        (locks.creating(), ("twd.schema_index.creation:index",)),
        (locks.publishing("7"), of_one),
        (locks.taking_out("7"), of_one),
    ):
        with lock as taken:
            assert taken is not None
            assert held(database) == keys(database, *names)


@pytest.mark.parametrize(
    ("first", "second", "is_free"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_only_shared_locks_are_held_at_once(
    database: MetadataDatabase, first: bool, second: bool, is_free: bool
) -> None:
    with database.begin() as holder, database.begin() as other:
        assert take_lock(holder, "twd.something", wait=False, shared=first)
        assert take_lock(other, "twd.something", wait=False, shared=second) == is_free
