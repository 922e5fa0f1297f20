"""One reading of a connection's schema, whatever its dialect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from twd_schema.extraction.postgresql.reading import read_postgresql
from twd_schema.extraction.postgresql.signal import read_signal
from twd_schema.extraction.reflection import REFLECTED_DIALECTS, read_reflected
from twd_schema.extraction.scope import scoped
from twd_shared.clients.catalog import Connection
from twd_shared.errors import EmptySchema, UnknownDialect
from twd_shared.schema_model.models import Snapshot
from twd_shared.schema_model.wording import counted
from twd_shared.sources.access import SourceAccess
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import SAFE, ReachPolicy
from twd_shared.store.host_readings import HostReadings

READABLE_DIALECTS = REFLECTED_DIALECTS | {"postgresql"}


class SchemaReader:
    """Reads the schemas of source databases that may be read, within limits."""

    def __init__(
        self,
        allowed_dialects: frozenset[str],
        limits: ReadLimits,
        policy: ReachPolicy = SAFE,
        host_readings: HostReadings | None = None,
    ) -> None:
        """`allowed_dialects` are names such as postgresql; `limits` hold for each reading.

        `policy` says which hosts and files may be reached, `host_readings` how many of a host at
        once; without it readings are not counted.
        """
        self._access = SourceAccess(allowed_dialects, limits, policy, host_readings)

    @classmethod
    def within(cls, access: SourceAccess) -> SchemaReader:
        """A reader of what may be reached."""
        return cls(access.allowed_dialects, access.limits, access.policy, access.host_readings)

    def read(
        self, connection: Connection, on_statement: Callable[[str], None] | None = None
    ) -> Snapshot:
        """The connection's schema now; see `read_async` for the errors."""
        # Not as the task's result: when it ends, asyncio.run makes a text of the task with its
        # result, which for a large snapshot takes longer than to build it.
        results: list[Snapshot] = []

        async def read() -> None:
            results.append(await self.read_async(connection, on_statement))

        asyncio.run(read())
        return results[0]

    async def signal_async(self, connection: Connection, within: float | None = None) -> str:
        """A cheap signal that differs whenever the schema may have changed; '' if there is none.

        Raises what `SourceAccess.reading` raises, SourceUnavailable or SourceRefused while asking.
        """
        async with self._access.reading(connection, within) as reading:
            if reading.address.dialect != "postgresql":
                return ""
            return await read_signal(connection.label, reading.address, reading.limits)

    async def read_async(
        self,
        connection: Connection,
        on_statement: Callable[[str], None] | None = None,
        within: float | None = None,
    ) -> Snapshot:
        """The connection's schema now, as far as its extraction options want it.

        `on_statement` gets each statement that was sent to the source.
        Raises what `SourceAccess.reading` raises, SourceUnavailable or SourceRefused while reading,
        EmptySchema when the role sees no table: a database that seems empty is far more often a
        missing grant than an empty database, and must not wipe what is known of it. Nor must
        options that leave no table.
        """
        async with self._access.reading(connection, within) as reading:
            address = reading.address
            if address.dialect == "postgresql":
                snapshot = await read_postgresql(
                    connection.label,
                    address,
                    reading.limits,
                    connection.extraction.samples,
                    on_statement,
                )
            elif address.dialect in REFLECTED_DIALECTS:
                snapshot = await reading.in_thread(
                    partial(read_reflected, connection.label, address, reading.limits, on_statement)
                )
            else:
                raise UnknownDialect(
                    f"{connection.label} is of type {address.dialect!r}, which cannot be read. "
                    f"Readable: {', '.join(sorted(READABLE_DIALECTS))}."
                )
        if not snapshot.tables:
            raise EmptySchema(
                f"{connection.label} at {address.place} shows no table to user {address.user!r}. "
                "Create a table, or connect to the database that has them. What was known of it "
                "is kept."
            )
        wanted = scoped(snapshot, connection.extraction)
        if not wanted.tables:
            raise EmptySchema(
                f"The extraction options of {connection.label} leave out all of its "
                f"{counted(len(snapshot.tables), 'table')}. Correct include and exclude in the "
                "application. What was known of it is kept."
            )
        return wanted
