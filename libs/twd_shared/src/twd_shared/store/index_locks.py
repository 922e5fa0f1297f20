"""Who may write to the schema index and who may change which collection is served.

They are taken in the order of this module, so that no two processes wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import sqlalchemy as sa

from twd_shared.store.database import KEEPALIVES, MetadataDatabase
from twd_shared.store.held_lock import HeldLock

_Lock = Literal[
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
]


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
            free = _take(transaction, "pg_try_advisory_xact_lock", "migration", self._alias)
            yield HeldLock(transaction, _SUBJECT) if free else None

    @contextmanager
    def changing(self) -> Iterator[HeldLock]:
        """Be alone: nobody publishes while another collection is put in place."""
        with self._database.begin() as transaction:
            _take(transaction, "pg_advisory_xact_lock", "served", self._alias)
            yield HeldLock(transaction, _SUBJECT)

    @contextmanager
    def publishing(self, connection_id: str) -> Iterator[HeldLock]:
        """Write one connection's points, alone, while the collection that is served stays it."""
        with self._database.begin() as transaction:
            _take(transaction, "pg_advisory_xact_lock_shared", "served", self._alias)
            _take(transaction, "pg_advisory_xact_lock", "connection", self._share(connection_id))
            yield HeldLock(transaction, _SUBJECT)

    @contextmanager
    def taking_out(self, connection_id: str) -> Iterator[HeldLock | None]:
        """The same without waiting: None if somebody else has what it takes."""
        with self._database.begin() as transaction:
            free = _take(
                transaction, "pg_try_advisory_xact_lock_shared", "served", self._alias
            ) and _take(
                transaction, "pg_try_advisory_xact_lock", "connection", self._share(connection_id)
            )
            yield HeldLock(transaction, _SUBJECT) if free else None

    @contextmanager
    def creating(self) -> Iterator[HeldLock]:
        """Be the only one who creates a collection."""
        with self._database.begin() as transaction:
            _take(transaction, "pg_advisory_xact_lock", "creation", self._alias)
            yield HeldLock(transaction, _SUBJECT)

    def _share(self, connection_id: str) -> str:
        return f"{connection_id} {self._alias}"


def _take(transaction: sa.Connection, function: _Lock, what: str, key: str) -> bool:
    # The functions that wait give nothing, which PostgreSQL calls void.
    *_, answer = transaction.execute(
        sa.text(f"select {KEEPALIVES}, {function}(hashtextextended(:key, 0))::text"),
        {"key": f"twd.schema_index.{what}:{key}"},
    ).one()
    return answer != "false"
