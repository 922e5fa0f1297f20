"""The application's catalog of source databases: read through its API or from its database.

What belongs here is the list of connections and their connection strings. Nothing here writes.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from twd_shared.clients.connection_secrets import ConnectionSecrets, SecretNotOpened
from twd_shared.clients.dsn import limits_of_silence, place_of, postgresql_url
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.clients.option_fields import options_in
from twd_shared.clients.tls import trusted
from twd_shared.clients.training_options import TrainingOptions
from twd_shared.errors import CatalogUnavailable, ConfigurationError, UnknownConnection
from twd_shared.settings import API_URL, APPLICATION_DSN, CATALOG

_TIMEOUT_SECONDS = 10.0
_SILENT_SECONDS = 20
# Of an answer as a whole: sensors read it within a tick, and a code server has few threads.
_ANSWER_SECONDS = 30.0
_MOST_BYTES = 64 * 2**20
_LIMIT = "set local statement_timeout = '10s'"


@dataclass(frozen=True, slots=True)
class Connection:
    """A source database as the application lists it; the connection string is never printed."""

    connection_id: str
    database_name: str
    db_type: str
    is_active: bool
    connection_string: str = field(repr=False)
    extraction: ExtractionOptions = field(default_factory=ExtractionOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)

    @property
    def label(self) -> str:
        """How messages name it: connection 7 (shop)."""
        return f"connection {self.connection_id} ({self.database_name})"


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A listed connection that cannot be used as it stands; its id is None if that is missing."""

    connection_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What a catalog lists, active or not. One bad row keeps no other connection from its work."""

    connections: tuple[Connection, ...]
    unreadable: tuple[UnreadableRow, ...] = ()


def dialect_of(db_type: str) -> str:
    """The one name of a database type: postgres is postgresql, mariadb is mysql, +driver is cut."""
    base = db_type.strip().lower().partition("+")[0]
    return {"postgres": "postgresql", "mariadb": "mysql"}.get(base, base)


class Catalog(Protocol):
    """Where the connections are listed."""

    def listing(self) -> Listing:
        """Everything that is listed now; raises CatalogUnavailable."""
        ...

    def close(self) -> None:
        """Let go of what it holds open; it may list nothing afterwards."""
        ...


def catalog_of(
    source: str, api_url: str, application_dsn: str, secrets: ConnectionSecrets
) -> Catalog:
    """The catalog that `source` names (TWD_CATALOG); raises ConfigurationError if it names none."""
    if source == "api":
        return ApiCatalog(api_url, secrets=secrets)
    if source == "database":
        return DatabaseCatalog(application_dsn, secrets)
    raise ConfigurationError(f"{CATALOG.name} must be api or database, not {source!r}.")


def connection_of(catalog: Catalog, connection_id: str) -> Connection:
    """The active connection of that id; raises UnknownConnection if there is none to be used."""
    listing = catalog.listing()
    for row in listing.unreadable:
        if row.connection_id == connection_id:
            raise UnknownConnection(f"{row.reason} Correct it in the application.")
    for connection in listing.connections:
        if connection.connection_id == connection_id:
            if not connection.is_active:
                raise UnknownConnection(
                    f"{connection.label} is paused in the application. Activate it there."
                )
            return connection
    raise UnknownConnection(
        f"The application's catalog lists no connection {connection_id}. It was removed there, "
        f"or {API_URL.name} names another application."
    )


class ApiCatalog:
    """The catalog behind `GET {url}/text-to-data/connections`.

    The whole list is asked for each time (`since_id=0`): a cursor over ids would miss edits,
    re-activations and ids that arrive out of order.
    """

    def __init__(
        self,
        url: str,
        client: httpx.Client | None = None,
        secrets: ConnectionSecrets | None = None,
        answer_seconds: float = _ANSWER_SECONDS,
    ) -> None:
        """`url` is the application's address; `client` replaces the default HTTP client.

        `secrets` open what is not in the open; an answer that is not whole after `answer_seconds`
        is given up. Raises ConfigurationError for an address with a login: messages name the
        address.
        """
        if "@" in urlsplit(url).netloc:
            raise ConfigurationError(
                f"{API_URL.name} holds a user or password, which the UI and messages would show. "
                f"Put a proxy that logs in between, or use {CATALOG.name}=database."
            )
        self._url = url.rstrip("/") + "/text-to-data/connections"
        self._client = client or httpx.Client(timeout=_TIMEOUT_SECONDS, verify=trusted())
        self._secrets = secrets or ConnectionSecrets()
        self._answer_seconds = answer_seconds

    def listing(self) -> Listing:
        """Everything that is listed now; raises CatalogUnavailable if the API is down or lies."""
        try:
            with self._client.stream("GET", self._url, params={"since_id": "0"}) as answer:
                answer.raise_for_status()
                body = json.loads(self._whole(answer))
        except httpx.HTTPStatusError as error:
            raise CatalogUnavailable(
                f"The application's API at {self._url} answered {error.response.status_code}. "
                "Look at the application's log."
            ) from None
        except httpx.HTTPError as error:
            raise CatalogUnavailable(
                f"The application's API at {self._url} cannot be reached "
                f"({type(error).__name__}). Check that it runs and that {API_URL.name} is right."
            ) from None
        except ValueError:
            raise CatalogUnavailable(
                f"The application's API at {self._url} did not answer with JSON. "
                f"Check that {API_URL.name} names the application."
            ) from None
        rows = body.get("connections") if isinstance(body, dict) else body
        if not isinstance(rows, list):
            raise CatalogUnavailable(
                f"The application's API at {self._url} answered without a list of connections."
            )
        return _parsed(rows, self._url, self._secrets)

    def _whole(self, answer: httpx.Response) -> bytes:
        body, until = bytearray(), time.monotonic() + self._answer_seconds
        for part in answer.iter_bytes():
            body += part
            # The client limits each wait, but not their sum.
            if time.monotonic() > until or len(body) > _MOST_BYTES:
                raise CatalogUnavailable(
                    f"The application's API at {self._url} has sent {len(body)} bytes and no end "
                    f"within {self._answer_seconds:g} s, or more than {_MOST_BYTES // 2**20} MiB. "
                    "Look at the application's log."
                )
        return bytes(body)

    def close(self) -> None:
        """Close the HTTP client."""
        self._client.close()


class DatabaseCatalog:
    """The catalog in table `database_connections` of the application's database."""

    def __init__(
        self,
        dsn: str,
        secrets: ConnectionSecrets | None = None,
        silent_seconds: int = _SILENT_SECONDS,
    ) -> None:
        """`dsn` is the application's PostgreSQL; `secrets` open what is not in the open.

        A server whose machine acknowledges nothing for `silent_seconds` is given up.

        Raises ConfigurationError if `dsn` is no DSN.
        """
        self._secrets = secrets or ConnectionSecrets()
        url = postgresql_url(dsn, APPLICATION_DSN.name)
        self._place = f"database_connections at {place_of(url)}"
        self._engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg2"),
            poolclass=sa.NullPool,
            hide_parameters=True,
            connect_args={
                "connect_timeout": int(_TIMEOUT_SECONDS),
                "application_name": "twd",
                **limits_of_silence(url, silent_seconds),
            },
        ).execution_options(postgresql_readonly=True)

    def listing(self) -> Listing:
        """Everything that is listed now; raises CatalogUnavailable if the table cannot be read."""
        # Inside, options are the table's own columns, or the outer nulls where it has none.
        query = sa.text(
            "select listed.* from (select null::jsonb as extraction, null::jsonb as training)"
            " absent, lateral (select id, name as database_name, connection_string, db_type,"
            " is_active, extraction, training from database_connections) listed"
        )
        try:
            with self._engine.connect() as connection:
                # Not at the session's start: a pooler refuses what it does not know.
                connection.exec_driver_sql(_LIMIT)
                rows = [dict(row) for row in connection.execute(query).mappings()]
        except SQLAlchemyError as error:
            raise CatalogUnavailable(
                f"{self._place} cannot be read ({type(error).__name__}). "
                f"Check that the database runs and that {APPLICATION_DSN.name} is right."
            ) from None
        return _parsed(rows, self._place, self._secrets)

    def close(self) -> None:
        """Nothing stays open between two readings."""
        self._engine.dispose()


def _parsed(rows: Iterable[Any], place: str, secrets: ConnectionSecrets) -> Listing:
    parsed = [_connection(row, place, secrets) for row in rows]
    counts = Counter(item.connection_id for item in parsed)
    once = [
        UnreadableRow(item.connection_id, f"{place} lists connection {item.connection_id!r} twice.")
        if item.connection_id is not None and counts[item.connection_id] > 1
        else item
        for item in parsed
    ]
    return Listing(
        connections=tuple(item for item in once if isinstance(item, Connection)),
        unreadable=tuple(item for item in once if isinstance(item, UnreadableRow)),
    )


def _connection(row: Any, place: str, secrets: ConnectionSecrets) -> Connection | UnreadableRow:
    if not isinstance(row, Mapping):
        return UnreadableRow(None, f"{place} lists a connection that is not an object.")
    if _is_absent(row.get("id")):
        return UnreadableRow(None, f"{place} lists a connection without id.")
    identity = str(row["id"])
    label = f"{place} lists connection {identity!r}"
    missing = [name for name in ("database_name", "connection_string") if _is_absent(row.get(name))]
    if missing:
        return UnreadableRow(identity, f"{label} without {', '.join(missing)}.")
    try:
        text = secrets.opened(str(row["connection_string"]))
    except SecretNotOpened as error:
        return UnreadableRow(
            identity, f"{label} with a connection string that cannot be opened: {error}."
        )
    if not f"{identity}{row['database_name']}".isprintable():
        return UnreadableRow(identity, f"{label} with a name of unprintable characters.")
    db_type = dialect_of(str(row.get("db_type") or _scheme(text)))
    for field_name, value in (("connection string", text), ("type", db_type)):
        if not _is_text(value):
            return UnreadableRow(
                identity, f"{label} with a {field_name} that holds a NUL or half of a character."
            )
    active = row.get("is_active")
    if active not in (None, True, False):
        return UnreadableRow(identity, f"{label} with an is_active that is not true or false.")
    try:
        extraction = options_in(row.get("extraction"), ExtractionOptions)
    except ValueError as error:
        return UnreadableRow(
            identity, f"{label} with an extraction that cannot be followed: {error}."
        )
    try:
        training = options_in(row.get("training"), TrainingOptions)
    except ValueError as error:
        return UnreadableRow(identity, f"{label} with a training that cannot be followed: {error}.")
    return Connection(
        connection_id=identity,
        database_name=str(row["database_name"]),
        db_type=db_type,
        is_active=active is None or bool(active),
        connection_string=text,
        extraction=extraction,
        training=training,
    )


def _is_absent(value: object) -> bool:
    return value is None or value == ""


def _is_text(value: str) -> bool:
    """Whether it can be hashed and stored: JSON may escape a NUL, or one half of a surrogate."""
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _scheme(connection_string: str) -> str:
    # Only what is surely a scheme: the rest of a mistyped string may be a password.
    scheme = re.match(r"[A-Za-z0-9+]{1,32}(?=://)", connection_string)
    return scheme[0] if scheme else "unknown"
