"""A lock as its holder has it: an advisory lock of PostgreSQL, held by an open transaction.

A process that dies loses its own. A session can be lost while its process lives on, and another
process then has the lock: whoever is about to change something asks its lock first.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from twd_shared.clients.dsn import place_of
from twd_shared.errors import MetadataUnavailable


class HeldLock:
    """A lock, held as long as its transaction is open."""

    def __init__(self, transaction: sa.Connection, subject: str) -> None:
        """`subject` is what it is a lock of, for messages."""
        self._transaction = transaction
        self._subject = subject

    def still_held(self) -> None:
        """Nothing if it is; raises MetadataUnavailable when the session that held it is lost."""
        try:
            self._transaction.execute(sa.text("select 1"))
        # The second is of a session whose loss was told before.
        except (DBAPIError, PendingRollbackError):
            raise MetadataUnavailable(
                f"A lock of the {self._subject} is lost, because its session with the metadata "
                f"database at {place_of(self._transaction.engine.url)} was ended. Others may "
                "change it now, so nothing more is changed. Look at PostgreSQL's log and "
                "its idle_in_transaction_session_timeout."
            ) from None
