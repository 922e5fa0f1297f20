"""The resource that only this location has: access to the source databases."""

from collections.abc import Mapping

import dagster as dg

from twd_schema.extraction.reachability import reach_policy
from twd_schema.extraction.reading import SchemaReader
from twd_shared import settings
from twd_shared.resources.defaults import secret_value


class SourceDatabaseResource(dg.ConfigurableResource):
    """Reads source databases: allowed dialects, hosts and files only, and within a time limit."""

    dialects: str = "postgresql,mysql"
    hosts: str = "public,private"
    files: str = ""
    statement_seconds: float = 60.0
    scratch_dsn: str = ""

    @property
    def reader(self) -> SchemaReader:
        """A reader with these limits."""
        return SchemaReader.configured(
            self.dialects, self.hosts, self.files, self.statement_seconds
        )


def source_database_resource(environment: Mapping[str, str]) -> SourceDatabaseResource:
    """The resource as the environment configures it; raises ConfigurationError on a bad value."""
    hosts = settings.value_of(environment, settings.SOURCE_HOSTS)
    files = settings.value_of(environment, settings.SOURCE_FILES)
    # A mistake in them is told when the location loads, not at each reading.
    reach_policy(hosts, files)
    return SourceDatabaseResource(
        dialects=settings.value_of(environment, settings.SOURCE_DIALECTS),
        hosts=hosts,
        files=files,
        statement_seconds=settings.positive_number(environment, settings.SOURCE_TIMEOUT_SECONDS),
        scratch_dsn=secret_value(environment, settings.SCRATCH_DSN),
    )
