"""The address of a source database, taken apart and checked before anything connects to it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from twd_shared.clients.catalog import Connection, dialect_of
from twd_shared.errors import UnknownDialect, UnusableConnectionString
from twd_shared.sources.encryption import MODES

CORRECT_CONNECTION = "Correct the connection in the application."
"""What to do where a server refuses what the connection string says."""

_LAST_PORT = 65535
_USUAL_PORTS = {"postgresql": 5432, "mysql": 3306}
# In its ASCII form. Drivers take a list of hosts for several, and a slash for a socket.
_HOST_NAME = re.compile(rb"[\w.-]+")


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """Where a source is and who asks; the password is never printed."""

    dialect: str
    host: str
    port: int | None
    database: str
    user: str
    password: str = field(repr=False)
    ssl_mode: str = "prefer"

    @property
    def place(self) -> str:
        """host:port/database, or the file of a database without a server, for messages."""
        if not self.host:
            return self.database
        return f"{self.host}{f':{self.port}' if self.port else ''}/{self.database}"

    @property
    def server(self) -> str:
        """host:port, by which sources on the same server are told; '' for a file.

        Two names of one server, or a name and an address, are two.
        """
        if not self.host:
            return ""
        host = self.host.encode("idna").decode().lower().removesuffix(".")
        return f"{host}:{self.port or _USUAL_PORTS.get(self.dialect, '')}"


def source_address(connection: Connection, allowed_dialects: frozenset[str]) -> SourceAddress:
    """The address in the connection's string.

    Raises UnknownDialect for a database type that is not read here or not allowed, and
    UnusableConnectionString for a string without host or database, of another database type than
    the connection, or with an unsafe option.
    """
    if connection.db_type not in allowed_dialects:
        raise UnknownDialect(
            f"{connection.label} is of type {connection.db_type!r}, which is not read. "
            f"Allowed: {', '.join(sorted(allowed_dialects))} (TWD_SOURCE_DIALECTS)."
        )
    try:
        url = sa.make_url(connection.connection_string)
        port = url.port
    except (ArgumentError, ValueError):
        raise _unusable(
            connection,
            "cannot be parsed; it should look like dialect://user:password@host/database",
        ) from None
    scheme = url.get_backend_name()
    if dialect_of(scheme) != dialect_of(connection.db_type):
        raise _unusable(
            connection,
            f"begins with {scheme!r}, but the connection is of type {connection.db_type!r}",
        )
    if connection.db_type == "sqlite":
        if not url.database or url.database == ":memory:" or url.query:
            raise _unusable(connection, "names no database file")
        return SourceAddress("sqlite", "", None, url.database, "", "")
    missing = [
        word for word, value in (("host", url.host), ("database", url.database)) if not value
    ]
    if not url.host or not url.database:
        raise _unusable(connection, f"names no {' and no '.join(missing)}")
    if "@" in url.host or "@" in url.database:
        # The end of the password would stand in every message as the host or the database.
        raise _unusable(connection, "has an @ in its user or password; write it as %40")
    # SQLAlchemy decodes user and password alone, and other clients the name as well.
    database = unquote(url.database)
    if "\0" in f"{url.username}{database}":
        # Drivers send it as it is, and the server takes what follows for options.
        raise _unusable(connection, "names a user or database that cannot exist")
    if not _is_host(url.host):
        raise _unusable(connection, "names a host that cannot exist")
    if port is not None and not 1 <= port <= _LAST_PORT:
        raise _unusable(connection, f"names port {port}; ports go from 1 to {_LAST_PORT}")
    ssl_mode = url.query.get("sslmode", "prefer")
    # A connection string is written by a user of the application: an option that names a local
    # file, a socket or a service entry would let it read this machine.
    if ssl_mode not in MODES or set(url.query) - {"sslmode"}:
        raise _unusable(
            connection, f"has an option other than sslmode={'|'.join(MODES)}; remove it"
        )
    return SourceAddress(
        dialect=connection.db_type,
        host=url.host,
        port=port,
        database=database,
        user=url.username or "",
        password=url.password or "",
        ssl_mode=str(ssl_mode),
    )


def _is_host(name: str) -> bool:
    try:
        if ":" in name:
            # With a zone it would be this machine's own network, under a name of its own.
            return ipaddress.IPv6Address(name).scope_id is None
        return bool(_HOST_NAME.fullmatch(name.encode("idna")))
    except ValueError:
        return False


def _unusable(connection: Connection, reason: str) -> UnusableConnectionString:
    return UnusableConnectionString(
        f"The connection string of {connection.label} {reason}.", "Correct it in the application."
    )
