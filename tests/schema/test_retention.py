"""How long the versions of a schema are kept that a newer one has followed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from twd_schema.documentation.documenting import document_connection
from twd_schema.history.retention import forget_gone_connections, forget_old_versions
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.schema_model.models import Snapshot, Table
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.descriptions import DescriptionStore
from twd_shared.store.documentation import DocumentationStore
from twd_shared.store.snapshots import SnapshotStore
from twd_shared.store.tables import training_items


@pytest.fixture
def snapshots(metadata_dsn: str, connection_to: Any) -> Iterator[SnapshotStore]:
    """Three versions: the first ended ten days ago, the second just now."""
    store = MetadataStoreResource(dsn=metadata_dsn)
    store.connections.register([connection_to("postgresql://127.0.0.1/shop")])
    for name in ("a", "b", "c"):
        tables = (Table(schema="public", name=name, kind="table"),)
        store.snapshots.save(
            "7",
            Snapshot(
                dialect="postgresql", database_name="shop", server_version="16", tables=tables
            ),
        )
    with store.database.begin() as transaction:
        transaction.execute(
            sa.text(
                "update twd.snapshots set taken_at = now() - interval '11 days',"
                " confirmed_at = now() - interval '11 days',"
                " ended_at = now() - interval '10 days' where version = 1"
            )
        )
    yield store.snapshots
    store.database.close()


@pytest.mark.parametrize(("days", "kept"), [(0, [3, 2, 1]), (11, [3, 2, 1]), (9, [3, 2])])
def test_a_version_is_kept_for_so_many_days_after_its_end(
    snapshots: SnapshotStore, days: int, kept: list[int]
) -> None:
    forget_old_versions(snapshots, "7", days)
    assert [version.version for version in snapshots.versions("7")] == kept


@pytest.fixture
def gone(snapshots: SnapshotStore, metadata_dsn: str) -> Iterator[sa.Engine]:
    """The connection was taken out, and last listed ten days ago."""
    engine = sa.create_engine(metadata_dsn, poolclass=sa.NullPool)
    with engine.begin() as transaction:
        transaction.execute(
            sa.text(
                "update twd.connections set is_active = false,"
                " last_seen_at = now() - interval '10 days'"
            )
        )
    yield engine
    engine.dispose()


@pytest.mark.usefixtures("gone")
@pytest.mark.parametrize(("days", "forgotten"), [(0, []), (11, []), (9, ["7"])])
def test_a_connection_that_is_gone_is_forgotten_after_so_many_days(
    snapshots: SnapshotStore, days: int, forgotten: list[str]
) -> None:
    assert forget_gone_connections(snapshots, days) == forgotten
    assert bool(snapshots.versions("7")) == (not forgotten)


def test_nothing_of_a_forgotten_schema_is_left(snapshots: SnapshotStore, gone: sa.Engine) -> None:
    with gone.begin() as transaction:
        # Kept while it was paused.
        transaction.execute(
            sa.insert(training_items).values(
                connection_id="7",
                item_id=uuid4(),
                snapshot_version=1,
                kind="documentation",
                source="user",
                content="Customers buy.",
                content_hash="1",
                tables=[],
                accepted=True,
            )
        )
    forget_gone_connections(snapshots, 9)
    with gone.connect() as connection:
        for table in (
            *("snapshots", "snapshot_objects", "schema_objects", "schema_diffs"),
            "training_items",
        ):
            assert connection.execute(sa.text(f"select count(*) from twd.{table}")).scalar() == 0
        assert connection.execute(sa.text("select count(*) from twd.connections")).scalar() == 1


def test_what_was_documented_while_it_was_taken_out_is_forgotten_too(
    snapshots: SnapshotStore, gone: sa.Engine, metadata_dsn: str
) -> None:
    database = MetadataDatabase(metadata_dsn)
    documentation = DocumentationStore(database)
    document_connection("7", snapshots, documentation, DescriptionStore(database), None)
    forget_gone_connections(snapshots, 9)
    assert documentation.cards("7") == []
    database.close()


def test_a_connection_that_is_paused_and_still_listed_keeps_its_history(
    snapshots: SnapshotStore, gone: sa.Engine
) -> None:
    with gone.begin() as transaction:
        transaction.execute(sa.text("update twd.connections set last_seen_at = now()"))
    assert forget_gone_connections(snapshots, 9) == []
