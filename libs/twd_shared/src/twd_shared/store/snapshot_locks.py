"""The advisory locks of the snapshot store; each is released at the transaction's end.

They are taken in the order of this module, so that no two transactions wait for each other.
"""

from __future__ import annotations

import sqlalchemy as sa

from twd_shared.store.locks import take_lock

_CONTENTS = "twd.schema_objects"


def lock_history(transaction: sa.Connection, connection_id: str) -> None:
    """Let one transaction at a time write the connection's history."""
    take_lock(transaction, f"twd.snapshots:{connection_id}")


def share_contents(transaction: sa.Connection) -> None:
    """Let no content be deleted while this transaction adds references to contents."""
    take_lock(transaction, _CONTENTS, shared=True)


def lock_contents(transaction: sa.Connection) -> None:
    """Let no transaction add references to contents while this one deletes unused ones.

    Only a statement that starts after the lock is held sees all references.
    """
    take_lock(transaction, _CONTENTS)
