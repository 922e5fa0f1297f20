"""The resource that only this location has: access to the source databases."""

from collections.abc import Mapping

import dagster as dg

from twd_schema.extraction.limits import ReadLimits
from twd_schema.extraction.reading import SchemaReader
from twd_shared import settings


class SourceDatabaseResource(dg.ConfigurableResource):
    """Reads source databases, only those of allowed dialects and only within a time limit."""

    dialects: str = "postgresql,mysql"
    statement_seconds: float = 60.0

    @property
    def reader(self) -> SchemaReader:
        """A reader with these limits."""
        dialects = frozenset(name.strip() for name in self.dialects.split(",") if name.strip())
        return SchemaReader(dialects, ReadLimits(statement_seconds=self.statement_seconds))


def source_database_resource(environment: Mapping[str, str]) -> SourceDatabaseResource:
    """The resource as the environment configures it."""
    return SourceDatabaseResource(
        dialects=settings.value_of(environment, settings.SOURCE_DIALECTS),
        statement_seconds=settings.positive_number(environment, settings.SOURCE_TIMEOUT_SECONDS),
    )
