"""How long versions of a schema are kept that a newer one has followed, or nobody asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from twd_shared.store.snapshots import SnapshotStore


def forget_old_versions(snapshots: SnapshotStore, connection_id: str, days: int) -> None:
    """Forget the connection's versions that ended more than `days` ago; 0 = keep all for ever."""
    if days:
        snapshots.prune(connection_id, datetime.now(UTC) - timedelta(days=days))


def forget_gone_connections(snapshots: SnapshotStore, days: int) -> list[str]:
    """Forget the history of connections that have not been listed for `days`; 0 = keep for ever.

    Gives their ids.
    """
    return snapshots.forget_gone(datetime.now(UTC) - timedelta(days=days)) if days else []
