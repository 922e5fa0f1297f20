"""Which source databases may be reached, and within which limits: what every reader asks first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from twd_shared.clients.catalog import Connection
from twd_shared.sources.address import SourceAddress, source_address
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import SAFE, ReachPolicy, reach_policy


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """Allowed dialects (postgresql, …), limits of one session, and the hosts and files in reach."""

    allowed_dialects: frozenset[str]
    limits: ReadLimits
    policy: ReachPolicy = SAFE

    @classmethod
    def configured(
        cls, dialects: str, hosts: str, files: str, statement_seconds: float
    ) -> SourceAccess:
        """As settings say it; the first three are comma-separated lists.

        Raises ConfigurationError for hosts and files that cannot be followed.
        """
        return cls(
            frozenset(filter(None, map(str.strip, dialects.split(",")))),
            ReadLimits(statement_seconds=statement_seconds),
            reach_policy(hosts, files),
        )

    async def address_of(self, connection: Connection) -> SourceAddress:
        """Where the connection's source is, if it may be reached.

        Raises UnusableConnectionString or UnknownDialect, and SourceUnavailable for a host name
        that does not resolve.
        """
        address = source_address(connection, self.allowed_dialects)
        # In a thread: looking up a name blocks.
        await asyncio.to_thread(self.policy.check, connection.label, address)
        return address
