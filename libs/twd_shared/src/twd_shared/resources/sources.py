"""Access to the source databases, as a resource of the locations that read them."""

from collections.abc import Mapping

import dagster as dg

from twd_shared import settings
from twd_shared.sources.access import SourceAccess
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.host_readings import HostReadings


class SourceAccessResource(dg.ConfigurableResource):
    """Reaches source databases: allowed dialects, hosts and files only, and within a time limit."""

    dialects: str = "postgresql,mysql"
    hosts: str = "public,private"
    files: str = ""
    statement_seconds: float = 60.0
    host_readings: int = 12

    def access(
        self, database: MetadataDatabase, patience_seconds: float | None = None
    ) -> SourceAccess:
        """What may be reached; the readings of each host are counted in `database`.

        One waits for its turn as long as another may read, or `patience_seconds`.
        """
        if patience_seconds is None:
            limits = ReadLimits(statement_seconds=self.statement_seconds)
            patience_seconds = limits.connect_seconds + limits.statement_seconds
        return SourceAccess.configured(
            self.dialects,
            self.hosts,
            self.files,
            self.statement_seconds,
            HostReadings(database, self.host_readings, patience_seconds),
        )


def source_access_values(environment: Mapping[str, str]) -> dict[str, str | float | int]:
    """The resource's fields as the environment has them; raises ConfigurationError on a bad value.

    A mistake in them is told when the location loads, not at each reading.
    """
    hosts = settings.value_of(environment, settings.SOURCE_HOSTS)
    files = settings.value_of(environment, settings.SOURCE_FILES)
    reach_policy(hosts, files)
    return {
        "dialects": settings.value_of(environment, settings.SOURCE_DIALECTS),
        "hosts": hosts,
        "files": files,
        "statement_seconds": settings.whole_number(environment, settings.SOURCE_TIMEOUT_SECONDS),
        "host_readings": settings.whole_number(environment, settings.SOURCE_HOST_READINGS),
    }
