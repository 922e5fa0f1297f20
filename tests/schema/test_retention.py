"""How long the versions of a schema are kept that a newer one has followed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from twd_schema.history.retention import forget_old_versions
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.schema_model.models import Snapshot, Table
from twd_shared.store.snapshots import SnapshotStore


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
