"""Access to the source databases, as a resource of the locations that read them."""

from collections.abc import Mapping

import dagster as dg

from twd_shared import settings
from twd_shared.sources.access import SourceAccess
from twd_shared.sources.reachability import reach_policy


class SourceAccessResource(dg.ConfigurableResource):
    """Reaches source databases: allowed dialects, hosts and files only, and within a time limit."""

    dialects: str = "postgresql,mysql"
    hosts: str = "public,private"
    files: str = ""
    statement_seconds: float = 60.0

    @property
    def access(self) -> SourceAccess:
        """What may be reached."""
        return SourceAccess.configured(
            self.dialects, self.hosts, self.files, self.statement_seconds
        )


def source_access_values(environment: Mapping[str, str]) -> dict[str, str | float]:
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
        "statement_seconds": settings.positive_number(environment, settings.SOURCE_TIMEOUT_SECONDS),
    }
