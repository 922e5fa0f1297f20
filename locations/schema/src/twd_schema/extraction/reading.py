"""One reading of a connection's schema, whatever its dialect."""

from __future__ import annotations

import asyncio

from twd_schema.extraction.address import source_address
from twd_schema.extraction.limits import ReadLimits
from twd_schema.extraction.postgresql import read_postgresql
from twd_schema.extraction.reflection import REFLECTED_DIALECTS, read_reflected
from twd_shared.clients.catalog import Connection
from twd_shared.errors import EmptySchema, UnknownDialect
from twd_shared.schema_model.models import Snapshot


class SchemaReader:
    """Reads the schemas of source databases, within limits and allowed dialects."""

    def __init__(self, allowed_dialects: frozenset[str], limits: ReadLimits) -> None:
        """`allowed_dialects` are names such as postgresql; `limits` hold for each reading."""
        self._allowed = allowed_dialects
        self._limits = limits

    def read(self, connection: Connection) -> Snapshot:
        """The connection's schema now; see `read_async` for the errors."""
        return asyncio.run(self.read_async(connection))

    async def read_async(self, connection: Connection) -> Snapshot:
        """The connection's schema now.

        Raises UnusableConnectionString or UnknownDialect before connecting, SourceUnavailable or
        SourceRefused while reading, EmptySchema when the role sees no table: a database that
        seems empty is far more often a missing grant than an empty database, and must not wipe
        what is known of it.
        """
        address = source_address(connection, self._allowed)
        if address.dialect == "postgresql":
            snapshot = await read_postgresql(connection.label, address, self._limits)
        elif address.dialect in REFLECTED_DIALECTS:
            snapshot = await asyncio.to_thread(
                read_reflected, connection.label, address, self._limits
            )
        else:
            raise UnknownDialect(
                f"{connection.label} is of type {address.dialect!r}, which cannot be read. "
                f"Readable: postgresql, {', '.join(sorted(REFLECTED_DIALECTS))}."
            )
        if not snapshot.tables:
            raise EmptySchema(
                f"{connection.label} at {address.place} shows no table to user {address.user!r}. "
                "Create a table, or connect to the database that has them. What was known of it "
                "is kept."
            )
        return snapshot
