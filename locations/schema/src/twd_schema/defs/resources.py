"""The resource that only this location has: what reads the schemas of source databases."""

from collections.abc import Mapping
from typing import Any

from twd_schema.extraction.reading import SchemaReader
from twd_shared import settings
from twd_shared.resources.defaults import secret_value
from twd_shared.resources.sources import SourceAccessResource, source_access_values


class SourceDatabaseResource(SourceAccessResource):
    """Reads the schemas of source databases that may be reached."""

    scratch_dsn: str = ""

    @property
    def reader(self) -> SchemaReader:
        """A reader with these limits."""
        return SchemaReader.within(self.access)


def source_database_resource(environment: Mapping[str, str]) -> SourceDatabaseResource:
    """The resource as the environment configures it; raises ConfigurationError on a bad value."""
    values: dict[str, Any] = source_access_values(environment)
    return SourceDatabaseResource(
        **values, scratch_dsn=secret_value(environment, settings.SCRATCH_DSN)
    )
