"""The application's catalog of source databases: read through its API or from its database.

What belongs here is the list of connections and their connection strings. Nothing here writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from twd_shared.clients.dsn import place_of, postgresql_url
from twd_shared.errors import CatalogUnavailable, UnknownConnection
from twd_shared.settings import APPLICATION_DSN

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Connection:
    """A source database as the application lists it; the connection string is never printed."""

    connection_id: str
    database_name: str
    db_type: str
    is_active: bool
    connection_string: str = field(repr=False)

    @property
    def label(self) -> str:
        """How messages name it: connection 7 (shop)."""
        return f"connection {self.connection_id} ({self.database_name})"


class Catalog(Protocol):
    """Where the connections are listed."""

    def connections(self) -> list[Connection]:
        """All connections, active or not; raises CatalogUnavailable."""
        ...


def connection_of(catalog: Catalog, connection_id: str) -> Connection:
    """The active connection of that id; raises UnknownConnection if there is none."""
    for connection in catalog.connections():
        if connection.connection_id == connection_id:
            if not connection.is_active:
                raise UnknownConnection(
                    f"{connection.label} is paused in the application. Activate it there."
                )
            return connection
    raise UnknownConnection(
        f"The application's catalog lists no connection {connection_id}. It was removed there, "
        "or TWD_API_URL names another application."
    )


class ApiCatalog:
    """The catalog behind `GET {url}/text-to-data/connections`.

    The whole list is asked for each time (`since_id=0`): a cursor over ids would miss edits,
    re-activations and ids that arrive out of order.
    """

    def __init__(self, url: str, client: httpx.Client | None = None) -> None:
        """`url` is the application's address; `client` replaces the default HTTP client."""
        self._url = url.rstrip("/") + "/text-to-data/connections"
        self._client = client or httpx.Client(timeout=_TIMEOUT_SECONDS)

    def connections(self) -> list[Connection]:
        """All connections; raises CatalogUnavailable if the API is down or answers badly."""
        try:
            answer = self._client.get(self._url, params={"since_id": "0"})
            answer.raise_for_status()
            body = answer.json()
        except httpx.HTTPStatusError as error:
            raise CatalogUnavailable(
                f"The application's API at {self._url} answered {error.response.status_code}. "
                "Look at the application's log."
            ) from None
        except httpx.HTTPError as error:
            raise CatalogUnavailable(
                f"The application's API at {self._url} cannot be reached "
                f"({type(error).__name__}). Check that it runs and that TWD_API_URL is right."
            ) from None
        except ValueError:
            raise CatalogUnavailable(
                f"The application's API at {self._url} did not answer with JSON. "
                "Check that TWD_API_URL names the application."
            ) from None
        rows = body.get("connections") if isinstance(body, dict) else body
        if not isinstance(rows, list):
            raise CatalogUnavailable(
                f"The application's API at {self._url} answered without a list of connections."
            )
        return _parsed(rows, self._url)


class DatabaseCatalog:
    """The catalog in table `database_connections` of the application's database."""

    def __init__(self, dsn: str) -> None:
        """`dsn` is the application's PostgreSQL; raises ConfigurationError if it is no DSN."""
        url = postgresql_url(dsn, APPLICATION_DSN.name)
        self._place = f"database_connections at {place_of(url)}"
        self._engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg2"),
            poolclass=sa.NullPool,
            hide_parameters=True,
            connect_args={
                "connect_timeout": int(_TIMEOUT_SECONDS),
                "options": "-c default_transaction_read_only=on -c statement_timeout=10s",
            },
        )

    def connections(self) -> list[Connection]:
        """All connections; raises CatalogUnavailable if the table cannot be read."""
        query = sa.text(
            "select id, name as database_name, connection_string, db_type, is_active"
            " from database_connections"
        )
        try:
            with self._engine.connect() as connection:
                rows = [dict(row) for row in connection.execute(query).mappings()]
        except SQLAlchemyError as error:
            raise CatalogUnavailable(
                f"{self._place} cannot be read ({type(error).__name__}). "
                "Check that the database runs and that TWD_APPLICATION_DSN is right."
            ) from None
        return _parsed(rows, self._place)


def _parsed(rows: Iterable[Any], place: str) -> list[Connection]:
    connections = [_connection(row, place) for row in rows]
    ids = [connection.connection_id for connection in connections]
    if len(set(ids)) != len(ids):
        raise CatalogUnavailable(f"{place} lists a connection id twice.")
    return connections


def _connection(row: Any, place: str) -> Connection:
    if not isinstance(row, Mapping):
        raise CatalogUnavailable(f"{place} lists a connection that is not an object.")
    missing = [name for name in ("id", "database_name", "connection_string") if not row.get(name)]
    if missing:
        raise CatalogUnavailable(
            f"{place} lists connection {row.get('id')!r} without {', '.join(missing)}."
        )
    text = str(row["connection_string"])
    if not f"{row['id']}{row['database_name']}".isprintable():
        raise CatalogUnavailable(
            f"{place} lists connection {row['id']!r} with a name of unprintable characters."
        )
    active = row.get("is_active")
    return Connection(
        connection_id=str(row["id"]),
        database_name=str(row["database_name"]),
        db_type=_dialect(str(row.get("db_type") or _scheme(text))),
        is_active=True if active is None else bool(active),
        connection_string=text,
    )


def _scheme(connection_string: str) -> str:
    # Only what is surely a scheme: the rest of a mistyped string may be a password.
    scheme = re.match(r"[A-Za-z0-9+]{1,32}(?=://)", connection_string)
    return scheme[0] if scheme else "unknown"


def _dialect(name: str) -> str:
    base = name.strip().lower().partition("+")[0]
    return {"postgres": "postgresql", "mariadb": "mysql"}.get(base, base)
