"""A real PostgreSQL server for a laptop, from the binaries inside a wheel.

Belongs here: finding the binaries, making the data directory, running the server, and the first
databases and roles. Not here: tables, and anything that production code imports.

The server listens on loopback alone, without a unix socket, and asks every connection for a
password. PostgreSQL refuses to run as root: started by root, it runs as an existing unprivileged
user. Where that user cannot reach the data directory or the binaries (a clone below a private home
directory), both live under `/var/lib/twd-local` instead, in a folder that follows from the path of
the data directory at first; `locations.resolve_locations` tells where. What was decided for a data
directory stands in a file beside it, and holds from then on.
"""

from __future__ import annotations

from twd_local.postgres.cluster import remove
from twd_local.postgres.databases import ensure_database, ensure_role, wait_ready
from twd_local.postgres.locations import Locations, PostgresError
from twd_local.postgres.running import RunningPostgres, dsn_of, start_postgres

__all__ = [
    "Locations",
    "PostgresError",
    "RunningPostgres",
    "dsn_of",
    "ensure_database",
    "ensure_role",
    "remove",
    "start_postgres",
    "wait_ready",
]
