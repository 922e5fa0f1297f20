"""Who may write to the schema index and who may change which collection is served.

They are taken in the order of this module, so that no two processes wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.held_lock import HeldLock
from twd_shared.store.locks import take_lock

_SUBJECT = "schema index"


class IndexLocks:
    """The locks of the schema index behind one alias."""

    def __init__(self, database: MetadataDatabase, alias: str) -> None:
        """Locks live in `database`: all who write to the index must use the same one."""
        self._database = database
        self._alias = alias

    @contextmanager
    def migrating(self) -> Iterator[HeldLock | None]:
        """Be the only migration; None if another one is going on."""
        with self._database.begin() as transaction:
            free = take_lock(transaction, self._name("migration"), wait=False)
            yield HeldLock(transaction, _SUBJECT) if free else None

    @contextmanager
    def changing(self) -> Iterator[HeldLock]:
        """Be alone: nobody publishes while another collection is put in place."""
        with self._database.begin() as transaction:
            take_lock(transaction, self._name("served"))
            yield HeldLock(transaction, _SUBJECT)

    @contextmanager
    def publishing(self, connection_id: str) -> Iterator[HeldLock]:
        """Write one connection's points, alone, while the collection that is served stays it."""
        with self._database.begin() as transaction:
            take_lock(transaction, self._name("served"), shared=True)
            take_lock(transaction, self._share(connection_id))
            yield HeldLock(transaction, _SUBJECT)

    @contextmanager
    def taking_out(self, connection_id: str) -> Iterator[HeldLock | None]:
        """The same without waiting: None if somebody else has what it takes."""
        with self._database.begin() as transaction:
            served, share = self._name("served"), self._share(connection_id)
            free = take_lock(transaction, served, wait=False, shared=True) and take_lock(
                transaction, share, wait=False
            )
            yield HeldLock(transaction, _SUBJECT) if free else None

    @contextmanager
    def creating(self) -> Iterator[HeldLock]:
        """Be the only one who creates a collection."""
        with self._database.begin() as transaction:
            take_lock(transaction, self._name("creation"))
            yield HeldLock(transaction, _SUBJECT)

    def _name(self, what: str) -> str:
        return f"twd.schema_index.{what}:{self._alias}"

    def _share(self, connection_id: str) -> str:
        return f"twd.schema_index.connection:{connection_id} {self._alias}"
