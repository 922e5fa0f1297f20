"""What each source said, kept from tick to tick."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from twd_shared.clients.catalog import Connection
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.source_checks import SourceCheck, SourceCheckStore

DRIFTED = SourceCheck("7", "signal", "fingerprint", "drifted", "It changed.")


@pytest.fixture
def store(metadata_dsn: str) -> Iterator[SourceCheckStore]:
    """Of two connections, and nothing said yet."""
    database = MetadataDatabase(metadata_dsn)
    ConnectionRegistry(database).register(
        Connection(key, key, "postgresql", True, "postgresql://h/d") for key in ("7", "8")
    )
    yield SourceCheckStore(database)
    database.close()


def test_since_stays_as_long_as_the_same_is_said(store: SourceCheckStore) -> None:
    store.record([DRIFTED])
    first = store.all()["7"]
    store.record([replace(DRIFTED, signal="another")])
    again = store.all()["7"]
    assert (again.since, again.signal) == (first.since, "another")
    assert again.asked_at
    assert first.asked_at
    assert again.asked_at > first.asked_at


def test_since_begins_anew_when_something_else_is_said(store: SourceCheckStore) -> None:
    store.record([DRIFTED])
    first = store.all()["7"]
    store.record([replace(DRIFTED, freshness="fresh", cause="")])
    now = store.all()["7"].since
    assert now
    assert first.since
    assert now > first.since


def test_confirming_what_a_source_holds_says_nothing_of_its_freshness(
    store: SourceCheckStore,
) -> None:
    store.record([replace(DRIFTED, freshness="given_up")])
    store.confirm("7", "newer", "other")
    check = store.all()["7"]
    assert (check.signal, check.fingerprint, check.freshness) == ("newer", "other", "given_up")


def test_a_source_that_is_forgotten_has_said_nothing(store: SourceCheckStore) -> None:
    store.record([DRIFTED, replace(DRIFTED, connection_id="8")])
    store.delete("7")
    assert store.all().keys() == {"8"}
