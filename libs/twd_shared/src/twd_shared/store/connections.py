"""The registry of connections: which partition key each connection has, and how it is doing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.clients.catalog import Connection
from twd_shared.errors import UnknownConnection
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.rows import of_row
from twd_shared.store.tables import connections

Status = Literal["unknown", "ok", "failing"]

_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class RegisteredConnection:
    """A connection as the registry knows it; it holds no connection string."""

    connection_id: str
    partition_key: str
    database_name: str
    db_type: str
    is_active: bool
    status: Status
    status_reason: str


class ConnectionRegistry:
    """Rows of `twd.connections`."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def known(self) -> list[RegisteredConnection]:
        """All registered connections, oldest first."""
        query = sa.select(connections).order_by(
            connections.c.first_seen_at, connections.c.connection_id
        )
        with self._database.begin() as transaction:
            return [of_row(RegisteredConnection, row) for row in transaction.execute(query)]

    def by_partition(self, partition_key: str) -> RegisteredConnection:
        """The connection of a partition; raises UnknownConnection if none has it."""
        # What is typed may be no text: a terminal of another encoding sends any bytes.
        text = partition_key.encode("utf-8", "replace").decode()
        query = sa.select(connections).where(connections.c.partition_key == text)
        with self._database.begin() as transaction:
            row = transaction.execute(query).one_or_none()
        if row is None or text != partition_key:
            keys = [item.partition_key for item in self.known()]
            more = f" and {len(keys) - _MOST_TOLD} more" if len(keys) > _MOST_TOLD else ""
            known = ", ".join(keys[:_MOST_TOLD]) or "none yet"
            raise UnknownConnection(
                f"No database {partition_key!r} is connected. Known: {known}{more}. "
                "new_connection_sensor connects what the application lists, at its next tick."
            )
        return of_row(RegisteredConnection, row)

    def is_active(self, connection_id: str) -> bool:
        """Whether the connection is registered and was not taken out."""
        query = sa.select(connections.c.is_active).where(
            connections.c.connection_id == connection_id
        )
        with self._database.begin() as transaction:
            return bool(transaction.execute(query).scalar_one_or_none())

    def register(self, seen: Iterable[Connection]) -> list[RegisteredConnection]:
        """Record the connections as the application lists them now; give their registry rows.

        A new one gets a partition key from its database name, made unique by a number, and keeps
        it for ever. A known one keeps its key whatever it is called now.
        """
        with self._database.begin() as transaction:
            # Two ticks that register at once must not give the same key twice.
            transaction.execute(sa.text("lock table twd.connections in share row exclusive mode"))
            rows = transaction.execute(sa.select(connections)).all()
            key_of = {row.connection_id: row.partition_key for row in rows}
            taken = set(key_of.values())
            registered: list[str] = []
            for connection in seen:
                key = key_of.get(connection.connection_id)
                if key is None:
                    key = free_partition_key(connection.database_name, taken)
                    taken.add(key)
                values = {
                    "database_name": connection.database_name,
                    "db_type": connection.db_type,
                    "is_active": connection.is_active,
                }
                transaction.execute(
                    insert(connections)
                    .values(connection_id=connection.connection_id, partition_key=key, **values)
                    .on_conflict_do_update(
                        index_elements=[connections.c.connection_id],
                        set_={**values, "last_seen_at": sa.func.now()},
                    )
                )
                registered.append(connection.connection_id)
            query = sa.select(connections).where(connections.c.connection_id.in_(registered))
            return [of_row(RegisteredConnection, row) for row in transaction.execute(query)]

    def deactivate(self, connection_id: str) -> None:
        """Mark a connection as no longer listed or paused; its history stays."""
        self._update({connection_id: {"is_active": False}})

    def set_status(self, connection_id: str, status: Status, reason: str = "") -> None:
        """Record whether the source could be read, with the reason if not (no secrets)."""
        self.set_statuses({connection_id: (status, reason)})

    def set_statuses(self, statuses: Mapping[str, tuple[Status, str]]) -> None:
        """Record status and reason of several connections, by their ids, all or none."""
        self._update(
            {
                connection_id: {
                    "status": status,
                    "status_reason": reason,
                    "status_at": sa.func.now(),
                }
                # In one order everywhere: else two that write the same rows could block each other.
                for connection_id, (status, reason) in sorted(statuses.items())
            }
        )

    def _update(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        with self._database.begin() as transaction:
            for connection_id, of_connection in values.items():
                transaction.execute(
                    sa.update(connections)
                    .where(connections.c.connection_id == connection_id)
                    .values(**of_connection)
                )


def free_partition_key(database_name: str, taken: set[str]) -> str:
    """A readable key for the name that is not in `taken`: `shop`, then `shop-2`.

    Letters, digits, `_`, `.` and `-` stay, of dots in a row one; accents go; the rest becomes `-`.
    At most 63 long.
    """
    plain = unicodedata.normalize("NFKD", database_name.replace("đ", "d").replace("Đ", "D"))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    # Dagster writes a range of partitions with dots between its ends.
    plain = re.sub(r"\.{2,}", ".", plain)
    base = re.sub(r"[^A-Za-z0-9_.-]+", "-", plain).strip("-.")[:56] or "database"
    key, number = base, 1
    while key in taken:
        number += 1
        key = f"{base}-{number}"
    return key
