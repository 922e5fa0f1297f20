"""Who holds a lock of the schema index, and for how long after its machine is gone."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.index_locks import IndexLocks


@pytest.mark.parametrize("lock", ["migrating", "changing", "creating"])
def test_a_machine_that_is_cut_off_holds_a_lock_for_two_minutes_at_most(
    metadata_dsn: str, lock: str
) -> None:
    database = MetadataDatabase(metadata_dsn)
    with getattr(IndexLocks(database, "index"), lock)() as held:
        idle, interval, count = (
            held._transaction.execute(sa.text(f"show tcp_keepalives_{name}")).scalar_one()
            for name in ("idle", "interval", "count")
        )
    database.close()
    assert int(idle) + int(interval) * int(count) <= 120
