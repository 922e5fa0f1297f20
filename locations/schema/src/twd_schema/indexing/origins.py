"""What the documents of a table are made of: as long as it is the same, so are they.

A sync of a large schema in which little has changed makes the documents of little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from twd_schema.documentation.facts import TableFacts
from twd_shared.clients.catalog import Connection
from twd_shared.clients.token_budget import TokenBudget
from twd_shared.schema_model.fingerprint import content_fingerprint
from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import Table, encode


@dataclass(frozen=True, slots=True)
class KnownPoint:
    """A point that is as its document would make it."""

    table: TableName
    origin: str
    point_id: str
    content_hash: str


KnownTables = Mapping[TableName, Sequence[KnownPoint]]
"""The points of tables, each as it was made."""


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins of the documents of one connection's tables."""

    connection: Connection
    dialect: str
    budget: TokenBudget
    revision: str

    def unchanged(
        self, table: Table, facts: TableFacts, known: KnownTables
    ) -> Sequence[KnownPoint]:
        """The known points of the table, if they were made of what it is now; else none."""
        points = known.get((table.schema, table.name), ())
        return points if points and points[0].origin == self.of(table, facts) else ()

    def of(self, table: Table, facts: TableFacts) -> str:
        """A hash of all that the table's documents are made of, 32 hex digits."""
        return content_fingerprint(
            (
                self.revision,
                self.connection.connection_id,
                self.connection.database_name,
                self.dialect,
                encode(table).decode(),
                facts.as_json(table),
                msgspec.json.encode(self.budget).decode(),
            )
        )
