"""Which servers a backup is of: those of the stack, or those that the user names.

Without a stack that was started here, both addresses must be given: for servers of a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import sqlalchemy as sa

from twd_local.stack.environment import METADATA_ROLE, admin_dsn, set_since
from twd_local.stack.errors import StackError
from twd_local.stack.home import Home
from twd_local.stack.plan import given_environment, started_stack
from twd_local.stack.status import running_stack
from twd_shared import settings
from twd_shared.clients.dsn import place_of, postgresql_url

# Every server has it, and roles may connect to it unless that was forbidden.
_MAINTENANCE = "postgres"


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses; `admin` is where databases are made and renamed, by a role that may."""

    metadata: sa.URL
    admin: sa.URL
    qdrant_url: str
    qdrant_key: str
    index_alias: str

    @property
    def metadata_place(self) -> str:
        """host:port/name, for messages."""
        return place_of(self.metadata)

    @property
    def qdrant_place(self) -> str:
        """Qdrant's address, for messages, without user and password."""
        return str(httpx.URL(self.qdrant_url).copy_with(userinfo=b""))


def servers_of(home: Home, environment: Mapping[str, str]) -> Servers:
    """The servers of the stack in `home`, or those of `environment` if none was started there.

    Raises: StackError when they are this stack's and it is stopped, when an address is missing, or
    when one is given that is not the stack's.
    """
    given = given_environment(environment)
    if home.environment_file.exists():
        stack = started_stack(home)
        values, ports = stack.environment, stack.ports
        for name in set_since(given, values):
            if name in (settings.METADATA_DSN.name, settings.QDRANT_URL.name):
                raise StackError(
                    f"{name} is another than the stack in {home.root} was started with. If you "
                    "mean another server, name a folder without a stack: TWD_HOME=…. If you mean "
                    f"the stack, take {name} out, or have it use that one: make down, then make up."
                )
        names = {one.name for one in stack.services}
        if names & {"postgres", "qdrant"}:
            running_stack(home)  # raises StackError, with the remedy, if it is stopped
        is_ours = "postgres" in names
    else:
        values, ports, is_ours = given, {}, False
        for variable in (settings.METADATA_DSN, settings.QDRANT_URL):
            if not values.get(variable.name):
                raise StackError(
                    f"No stack was started in {home.root}, and {variable.name} is not set. "
                    f"Start the stack (make up), or give {settings.METADATA_DSN.name} and "
                    f"{settings.QDRANT_URL.name} of the servers in the environment or in .env."
                )
    dsn = settings.value_of(values, settings.METADATA_DSN)
    metadata = postgresql_url(dsn, settings.METADATA_DSN.name)
    admin = metadata.set(database=_MAINTENANCE)
    if is_ours and (metadata.username, metadata.port) == (METADATA_ROLE, ports["postgres"]):
        admin = sa.make_url(admin_dsn(home, ports))
    return Servers(
        metadata,
        admin,
        settings.value_of(values, settings.QDRANT_URL),
        settings.value_of(values, settings.QDRANT_API_KEY),
        settings.value_of(values, settings.INDEX_ALIAS),
    )
