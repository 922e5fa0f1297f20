"""A reading that is cut anywhere removes nothing; what was really dropped lands with the next one.

OpenMetadata, for one, deletes what a broken ingestion did not see.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from twd_schema.extraction.reading import SchemaReader
from twd_schema.history.recording import DropPolicy, SnapshotRecorder
from twd_shared.clients.catalog import Connection
from twd_shared.errors import SourceUnavailable
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore

from .cutting_relay import CuttingRelay

TRIALS = 200
TABLES = 20


class Source:
    """A database behind a relay, its recorder, and what is stored of it."""

    def __init__(self, relay: CuttingRelay, dsn: str, database: MetadataDatabase, reader: Any):
        self.relay, self.dsn = relay, dsn
        far = sa.make_url(dsn).set(port=relay.port).render_as_string(hide_password=False)
        self._connection = Connection("7", "shop", "postgresql", True, far)
        registry, self._snapshots = ConnectionRegistry(database), SnapshotStore(database)
        registry.register([self._connection])
        self._recorder = SnapshotRecorder(
            reader, self._snapshots, registry, DropPolicy(confirm_seconds=0)
        )

    def record(self) -> None:
        self._recorder.record(self._connection)

    def stored(self) -> dict[Any, str]:
        return self._snapshots.known_objects("7")

    def tables(self) -> set[str]:
        return {name for kind, _, name in self.stored() if kind == "table"}


@pytest.fixture
def source(
    services: Any, metadata_dsn: str, reader: SchemaReader, execute: Callable[..., None]
) -> Iterator[Source]:
    """Twenty tables, recorded."""
    dsn = services.database()
    execute(dsn, *(f"create table t{n} (id int primary key, a text)" for n in range(TABLES)))
    relay = CuttingRelay(int(sa.make_url(dsn).port or 0))
    database = MetadataDatabase(metadata_dsn)
    made = Source(relay, dsn, database, reader)
    made.record()
    yield made
    database.close()
    relay.close()


def test_a_reading_that_is_cut_at_any_byte_removes_nothing(source: Source) -> None:
    source.relay.cut_after(None)
    source.record()
    whole, known = source.relay.answered, source.stored()
    chance = random.Random(7)
    cut = 0
    for _ in range(TRIALS):
        source.relay.cut_after(chance.randrange(whole))
        try:
            source.record()
        except SourceUnavailable:
            cut += 1
        assert source.stored() == known
    assert cut > TRIALS * 0.9, "nearly every trial was cut before its end"


def test_what_was_dropped_meanwhile_lands_with_the_next_whole_reading(
    source: Source, execute: Callable[..., None]
) -> None:
    source.relay.cut_after(None)
    source.record()
    whole, left = source.relay.answered, source.tables()
    for number in range(5):
        execute(source.dsn, f"drop table t{number}")
        source.relay.cut_after(whole // 2)
        with pytest.raises(SourceUnavailable):
            source.record()
        assert source.tables() == left
        source.relay.cut_after(None)
        source.record()
        left -= {f"t{number}"}
        assert source.tables() == left
