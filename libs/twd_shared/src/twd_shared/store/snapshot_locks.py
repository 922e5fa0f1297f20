"""The advisory locks of the snapshot store; each is released at the transaction's end.

They are taken in the order of this module, so that no two transactions wait for each other.
"""

from __future__ import annotations

import sqlalchemy as sa


def lock_history(transaction: sa.Connection, connection_id: str) -> None:
    """Let one transaction at a time write the connection's history."""
    transaction.execute(
        sa.text("select pg_advisory_xact_lock(hashtextextended('twd.snapshots:' || :id, 0))"),
        {"id": connection_id},
    )


def share_contents(transaction: sa.Connection) -> None:
    """Let no content be deleted while this transaction adds references to contents."""
    _lock_contents(transaction, "pg_advisory_xact_lock_shared")


def lock_contents(transaction: sa.Connection) -> None:
    """Let no transaction add references to contents while this one deletes unused ones.

    Only a statement that starts after the lock is held sees all references.
    """
    _lock_contents(transaction, "pg_advisory_xact_lock")


def _lock_contents(transaction: sa.Connection, function: str) -> None:
    transaction.execute(sa.text(f"select {function}(hashtextextended('twd.schema_objects', 0))"))
