"""How long versions of a schema are kept that a newer one has followed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from twd_shared.store.snapshots import SnapshotStore


def forget_old_versions(snapshots: SnapshotStore, connection_id: str, days: int) -> None:
    """Forget the connection's versions that ended more than `days` ago; 0 = keep all for ever."""
    if days:
        snapshots.prune(connection_id, datetime.now(UTC) - timedelta(days=days))
