"""Rows of `twd.table_statistics`: what the server of a connection estimated of its tables last."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.schema_model.fingerprint import digest
from twd_shared.schema_model.models import TableStatistics
from twd_shared.store.tables import table_statistics


def write_statistics(
    transaction: sa.Connection, connection_id: str, statistics: Iterable[TableStatistics]
) -> None:
    """Make these the connection's statistics; the same ones again write nothing."""
    in_order = sorted(statistics, key=attrgetter("schema", "table"))
    body = msgspec.json.encode(in_order, order="deterministic")
    content_hash = digest(body)
    table = table_statistics
    held = transaction.execute(
        sa.select(table.c.content_hash).where(table.c.connection_id == connection_id)
    ).scalar_one_or_none()
    if held == content_hash:
        return
    values = {
        "content_hash": content_hash,
        "body": sa.cast(sa.literal(body.decode(), sa.Text), table.c.body.type),
        "read_at": sa.func.clock_timestamp(),
    }
    statement = insert(table).values(connection_id=connection_id, **values)
    transaction.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c.connection_id],
            set_={name: statement.excluded[name] for name in values},
        )
    )


def read_statistics(transaction: sa.Connection, connection_id: str) -> tuple[TableStatistics, ...]:
    """The connection's statistics by schema and table; empty if there are none."""
    body = transaction.execute(
        sa.select(sa.cast(table_statistics.c.body, sa.Text)).where(
            table_statistics.c.connection_id == connection_id
        )
    ).scalar_one_or_none()
    if body is None:
        return ()
    return msgspec.json.decode(body, type=tuple[TableStatistics, ...])
