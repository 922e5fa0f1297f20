"""Who may write to the schema index and who may change which collection is served.

PostgreSQL's advisory locks, each held by an open transaction: a process that dies loses its own.
They are taken in the order of this module, so that no two processes wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import sqlalchemy as sa

from twd_shared.store.database import MetadataDatabase

_Lock = Literal[
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
]


class IndexLocks:
    """The locks of the schema index behind one alias."""

    def __init__(self, database: MetadataDatabase, alias: str) -> None:
        """Locks live in `database`: all who write to the index must use the same one."""
        self._database = database
        self._alias = alias

    @contextmanager
    def migrating(self) -> Iterator[bool]:
        """Be the only migration; False if another one is going on."""
        with self._database.begin() as transaction:
            yield _take(transaction, "pg_try_advisory_xact_lock", "migration", self._alias)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Be alone: nobody publishes while another collection is put in place."""
        with self._database.begin() as transaction:
            _take(transaction, "pg_advisory_xact_lock", "served", self._alias)
            yield

    @contextmanager
    def publishing(self, connection_id: str) -> Iterator[None]:
        """Write one connection's points, alone, while the collection that is served stays it."""
        with self._database.begin() as transaction:
            _take(transaction, "pg_advisory_xact_lock_shared", "served", self._alias)
            _take(transaction, "pg_advisory_xact_lock", "connection", self._share(connection_id))
            yield

    @contextmanager
    def taking_out(self, connection_id: str) -> Iterator[bool]:
        """The same without waiting: False if somebody else has what it takes."""
        with self._database.begin() as transaction:
            yield _take(
                transaction, "pg_try_advisory_xact_lock_shared", "served", self._alias
            ) and _take(
                transaction, "pg_try_advisory_xact_lock", "connection", self._share(connection_id)
            )

    @contextmanager
    def creating(self) -> Iterator[None]:
        """Be the only one who creates a collection."""
        with self._database.begin() as transaction:
            _take(transaction, "pg_advisory_xact_lock", "creation", self._alias)
            yield

    def _share(self, connection_id: str) -> str:
        return f"{connection_id} {self._alias}"


def _take(transaction: sa.Connection, function: _Lock, what: str, key: str) -> bool:
    # The functions that wait give nothing, which PostgreSQL calls void.
    answer = transaction.execute(
        sa.text(f"select {function}(hashtextextended(:key, 0))::text"),
        {"key": f"twd.schema_index.{what}:{key}"},
    ).scalar_one()
    return answer != "false"
