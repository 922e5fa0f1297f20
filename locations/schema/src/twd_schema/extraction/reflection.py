"""Other dialects through SQLAlchemy's bulk reflection, into the same snapshot model.

What a dialect cannot tell is named in `Snapshot.unknown`. To add a dialect, add a `_Dialect`.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import (
    ReflectedColumn,
    ReflectedForeignKeyConstraint,
    ReflectedIndex,
)
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from twd_schema.extraction.address import SourceAddress
from twd_schema.extraction.limits import ReadLimits
from twd_shared.errors import SourceRefused, SourceUnavailable
from twd_shared.schema_model.models import (
    Column,
    Constraint,
    ForeignKey,
    Index,
    Key,
    Snapshot,
    Table,
    UnknownFact,
)

# MySQL and SQLite give the whole statement, MySQL with the name of the user who made it.
_NAME = r"""(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|\[[^\]]+\]|'(?:[^']|'')+'|[^\s.(]+)"""
_CREATE_VIEW = re.compile(
    rf"\s*CREATE\s.*?\bVIEW\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}(?:\.{_NAME})?"
    r"\s*(?:\([^)]*\))?\s*AS\s+",
    re.IGNORECASE | re.DOTALL,
)

_TableKey = tuple[str | None, str]


@dataclass(frozen=True)
class _Dialect:
    """How one dialect is reached read-only, and what it cannot tell."""

    driver: str
    connect_arguments: Callable[[SourceAddress, ReadLimits], dict[str, Any]]
    read_only: tuple[str, ...]
    unknown: tuple[UnknownFact, ...]
    remedy: str = "Check host and port, and that the server runs."


def _mysql_arguments(address: SourceAddress, limits: ReadLimits) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "connect_timeout": int(limits.connect_seconds),
        "read_timeout": int(limits.statement_seconds),
        "local_infile": False,
    }
    if address.ssl_mode == "disable":
        arguments["ssl_disabled"] = True
    elif address.ssl_mode == "require":
        # As in PostgreSQL: nothing goes over the wire in clear, the certificate is not verified.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        arguments["ssl"] = context
    # Else as the driver does by itself: encrypted where the server can.
    return arguments


_DIALECTS: Mapping[str, _Dialect] = {
    "mysql": _Dialect(
        driver="mysql+pymysql",
        connect_arguments=_mysql_arguments,
        read_only=("SET SESSION TRANSACTION READ ONLY",),
        unknown=("enums", "domains", "partitions"),
    ),
    "sqlite": _Dialect(
        driver="sqlite",
        connect_arguments=lambda _, limits: {"timeout": limits.lock_seconds},
        read_only=("PRAGMA query_only = on",),
        unknown=("comments", "enums", "domains", "identity"),
        remedy="Check that the file exists here, can be read and is a SQLite database.",
    ),
}

REFLECTED_DIALECTS = frozenset(_DIALECTS)


def read_reflected(label: str, address: SourceAddress, limits: ReadLimits) -> Snapshot:
    """The schema of a MySQL, MariaDB or SQLite database; `label` names it in errors.

    Raises SourceRefused when the server refuses the user or the database, SourceUnavailable when
    it cannot be reached or fails.
    """
    dialect = _DIALECTS[address.dialect]
    engine = sa.create_engine(
        _url(address, dialect),
        poolclass=sa.NullPool,
        hide_parameters=True,
        connect_args=dialect.connect_arguments(address, limits),
    )
    try:
        with engine.connect() as connection:
            for statement in dialect.read_only:
                connection.exec_driver_sql(statement)
            return _snapshot(connection, address, dialect)
    except OperationalError as error:
        raise _failure(label, address, error) from None
    except SQLAlchemyError as error:
        raise SourceUnavailable(
            f"{label} at {address.place} could not be read ({type(error).__name__}). "
            f"{dialect.remedy}"
        ) from None
    finally:
        engine.dispose()


def _url(address: SourceAddress, dialect: _Dialect) -> sa.URL:
    if address.dialect == "sqlite":
        # Only a file: URI can say read-only; without `uri` here its name would be made a path.
        name = f"file:{quote(address.database)}"
        return sa.URL.create("sqlite", database=name, query={"mode": "ro", "uri": "true"})
    return sa.URL.create(
        dialect.driver,
        username=address.user,
        password=address.password,
        host=address.host,
        port=address.port,
        database=address.database,
    )


def _failure(
    label: str, address: SourceAddress, error: OperationalError
) -> SourceRefused | SourceUnavailable:
    where = f"{label} at {address.place}"
    code = error.orig.args[0] if error.orig and error.orig.args else None
    # https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
    reasons = {
        1044: f"user {address.user!r} may not use that database, if it exists",
        1045: f"wrong password, or user {address.user!r} is unknown or not allowed from here",
        1049: "there is no such database",
        2026: "an encrypted connection, which sslmode=require demands, cannot be made",
    }
    if code in reasons:
        return SourceRefused(
            f"{where}: {reasons[code]}. Correct the connection in the application."
        )
    return SourceUnavailable(
        f"{where} cannot be reached or failed. {_DIALECTS[address.dialect].remedy}"
    )


def _snapshot(connection: sa.Connection, address: SourceAddress, dialect: _Dialect) -> Snapshot:
    inspector = sa.inspect(connection)
    kind = ObjectKind.ANY
    columns = inspector.get_multi_columns(kind=kind)
    primary_keys = inspector.get_multi_pk_constraint(kind=kind)
    uniques = inspector.get_multi_unique_constraints(kind=kind)
    foreign_keys = inspector.get_multi_foreign_keys(kind=kind)
    checks = inspector.get_multi_check_constraints(kind=kind)
    indexes = inspector.get_multi_indexes(kind=kind)
    comments = {} if "comments" in dialect.unknown else inspector.get_multi_table_comment(kind=kind)
    views = set(inspector.get_view_names())
    schema = address.database if address.dialect == "mysql" else "main"
    tables: list[Table] = []
    for key in sorted(columns, key=lambda item: item[1]):
        name = key[1]
        primary = primary_keys.get(key)
        unique = _sorted(uniques.get(key) or ())
        tables.append(
            Table(
                schema=schema,
                name=name,
                kind="view" if name in views else "table",
                columns=tuple(_column(connection, item) for item in columns[key]),
                primary_key=Key(
                    name=primary.get("name"), columns=tuple(primary["constrained_columns"])
                )
                if primary and primary["constrained_columns"]
                else None,
                unique_constraints=tuple(
                    Key(name=item["name"], columns=tuple(item["column_names"])) for item in unique
                ),
                foreign_keys=tuple(
                    _foreign_key(item, schema) for item in _sorted(foreign_keys.get(key) or ())
                ),
                constraints=tuple(
                    Constraint(name=item["name"] or "", definition=f"CHECK ({item['sqltext']})")
                    for item in _sorted(checks.get(key) or ())
                ),
                indexes=_indexes(indexes.get(key) or (), {item["name"] for item in unique}),
                definition=_view_definition(inspector, name) if name in views else None,
                comment=(comments.get(key) or {"text": None})["text"],
            )
        )
    version = ".".join(str(part) for part in connection.dialect.server_version_info or ())
    return Snapshot(
        dialect=address.dialect,
        database_name=address.database,
        server_version=version,
        tables=tuple(tables),
        unknown=dialect.unknown,
    )


def _view_definition(inspector: sa.Inspector, name: str) -> str | None:
    with suppress(SQLAlchemyError, NotImplementedError):
        return _CREATE_VIEW.sub("", inspector.get_view_definition(name), count=1)
    return None


def _column(connection: sa.Connection, item: ReflectedColumn) -> Column:
    computed = item.get("computed")
    return Column(
        name=item["name"],
        type=item["type"].compile(dialect=connection.dialect),
        nullable=item["nullable"],
        default=item.get("default"),
        identity="by default" if item.get("autoincrement") is True else None,
        generated=computed["sqltext"] if computed else None,
        comment=item.get("comment"),
        virtual=bool(computed) and computed.get("persisted") is False,
    )


def _foreign_key(item: ReflectedForeignKeyConstraint, schema: str) -> ForeignKey:
    options = item.get("options") or {}
    return ForeignKey(
        name=item["name"],
        columns=tuple(item["constrained_columns"]),
        referenced_schema=item["referred_schema"] or schema,
        referenced_table=item["referred_table"],
        referenced_columns=tuple(item["referred_columns"]),
        on_update=str(options.get("onupdate") or "NO ACTION").upper(),
        on_delete=str(options.get("ondelete") or "NO ACTION").upper(),
    )


def _indexes(items: Iterable[ReflectedIndex], of_constraints: set[str | None]) -> tuple[Index, ...]:
    return tuple(
        Index(
            name=item["name"] or "",
            columns=tuple(name or "(expression)" for name in item["column_names"]),
            unique=bool(item["unique"]),
        )
        for item in _sorted(items)
        if item["name"] not in of_constraints
    )


def _sorted(items: Iterable[Any]) -> list[Any]:
    # The server gives them in no promised order; the fingerprint must not depend on it.
    return sorted(items, key=lambda item: cast("str", item.get("name") or "") + repr(item))
