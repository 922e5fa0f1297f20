"""The resource that only this location has: what reads the schemas of source databases."""

from collections.abc import Mapping
from typing import Any

from twd_schema.extraction.reading import SchemaReader
from twd_shared import settings
from twd_shared.resources.defaults import secret_value
from twd_shared.resources.sources import SourceAccessResource, source_access_values
from twd_shared.store.database import MetadataDatabase


class SourceDatabaseResource(SourceAccessResource):
    """Reads the schemas of source databases that may be reached."""

    scratch_dsn: str = ""

    def reader(
        self, database: MetadataDatabase, patience_seconds: float | None = None
    ) -> SchemaReader:
        """A reader within what `access` says."""
        return SchemaReader.within(self.access(database, patience_seconds))


def source_database_resource(environment: Mapping[str, str]) -> SourceDatabaseResource:
    """The resource as the environment configures it; raises ConfigurationError on a bad value."""
    values: dict[str, Any] = source_access_values(environment)
    return SourceDatabaseResource(
        **values, scratch_dsn=secret_value(environment, settings.SCRATCH_DSN)
    )
