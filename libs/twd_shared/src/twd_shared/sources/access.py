"""Which source databases may be reached, and within which limits: what every reader asks first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from twd_shared.clients.catalog import Connection
from twd_shared.settings import entries_of
from twd_shared.sources.address import SourceAddress, source_address
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import SAFE, ReachPolicy, reach_policy
from twd_shared.store.host_readings import HostPlace, HostReadings

_T = TypeVar("_T")


class SourceReading:
    """One reading of a source: where it is, its limits, its place among its host's readings.

    A reading may open several sessions; they are one reading.
    """

    def __init__(self, address: SourceAddress, limits: ReadLimits, place: HostPlace | None) -> None:
        """`place` is None where readings are not counted."""
        self.address = address
        self.limits = limits
        self._place = place
        self._is_in_thread = False

    async def in_thread(self, read: Callable[[], _T]) -> _T:
        """What `read` gives, in a thread: as no thread can be stopped, it keeps the place."""

        def run() -> _T:
            self._is_in_thread = True
            try:
                return read()
            finally:
                self._give_back()

        return await asyncio.to_thread(run)

    def end(self) -> None:
        """Give the place back, unless a thread still reads: then that does it."""
        if not self._is_in_thread:
            self._give_back()

    def _give_back(self) -> None:
        if self._place:
            self._place.give_back()


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """Allowed dialects (postgresql, …), limits of one session, and the hosts and files in reach.

    Without `host_readings`, readings are not counted: for commands that need no metadata database.
    """

    allowed_dialects: frozenset[str]
    limits: ReadLimits
    policy: ReachPolicy = SAFE
    host_readings: HostReadings | None = None

    @classmethod
    def configured(
        cls,
        dialects: str,
        hosts: str,
        files: str,
        statement_seconds: float,
        host_readings: HostReadings | None = None,
    ) -> SourceAccess:
        """As settings say it; the first three are comma-separated lists.

        Raises ConfigurationError for hosts and files that cannot be followed.
        """
        return cls(
            frozenset(entries_of(dialects)),
            ReadLimits(statement_seconds=statement_seconds),
            reach_policy(hosts, files),
            host_readings,
        )

    @asynccontextmanager
    async def reading(
        self, connection: Connection, within: float | None = None
    ) -> AsyncIterator[SourceReading]:
        """One reading of the connection's source, if it may be reached and its host has a place.

        A file has no host, and needs none. To find the host and to read are given `within` seconds
        each; what a place is waited for is not the source's time.
        Raises UnusableConnectionString or UnknownDialect, SourceUnavailable for a host name that
        does not resolve, SourceBusy, MetadataUnavailable; TimeoutError.
        """
        async with asyncio.timeout(within):
            address = await self._address_of(connection)
        place = (
            await self.host_readings.take(connection.label, address.server)
            if self.host_readings and address.server
            else None
        )
        reading = SourceReading(address, self.limits.within(within), place)
        try:
            async with asyncio.timeout(within):
                yield reading
        finally:
            reading.end()

    async def _address_of(self, connection: Connection) -> SourceAddress:
        address = source_address(connection, self.allowed_dialects)
        # In a thread: looking up a name blocks.
        await asyncio.to_thread(self.policy.check, connection.label, address)
        return address
