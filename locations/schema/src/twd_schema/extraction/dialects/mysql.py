"""MySQL and MariaDB: how they are reached, and what is read beside the columns and keys."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any, cast

import pymysql
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError

from twd_schema.extraction.deadline import Deadline
from twd_schema.extraction.dialects.dialect import Details, Dialect, ReadingOvertaken
from twd_schema.extraction.dialects.mysql_catalog import MySQLCatalog, Row, literal, quoted
from twd_shared.schema_model.models import Sequence, TableKind, TableStatistics, UnknownFact
from twd_shared.sources import encryption
from twd_shared.sources.address import SourceAddress
from twd_shared.sources.limits import ReadLimits

_PORT = 3306
# A lock, and a statement by MariaDB's and by MySQL's own clock.
_LATE = frozenset({1205, 1969, 3024})
_NOT_ENCRYPTED = 2026
_CHECKED = {"LOCAL": " WITH LOCAL CHECK OPTION", "CASCADED": " WITH CASCADED CHECK OPTION"}
_SEQUENCE = "start_value, increment, minimum_value, maximum_value, cache_size, cycle_option"
_INVOKERS = ("SQL SECURITY INVOKER",)
_CREATE_OPTION = re.compile(r"\w+=\w+")
# A partition's name says nothing outside its table; types of one's own there are none.
_UNKNOWN: tuple[UnknownFact, ...] = (
    "composites",
    "domains",
    "enums",
    "extensions",
    "partitions",
    "ranges",
    "routines",
)


def _connect(address: SourceAddress, limits: ReadLimits, deadline: Deadline) -> DBAPIConnection:
    arguments: dict[str, Any] = {}
    if address.ssl_mode == "disable":
        arguments["ssl_disabled"] = True
    elif address.ssl_mode in encryption.DEMANDING:
        arguments["ssl"] = encryption.encrypting(address.ssl_mode)
    # Else as the driver does by itself: encrypted where the server can.
    made = pymysql.connect(
        host=address.host,
        port=address.port or _PORT,
        user=address.user,
        password=address.password,
        database=address.database,
        local_infile=False,
        defer_connect=True,
        **arguments,
    )
    wire = socket.create_connection((address.host, address.port or _PORT), limits.connect_seconds)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The driver wraps the socket for encryption; a copy can still hang it up.
    copy = wire.dup()

    def hang_up() -> None:
        copy.shutdown(socket.SHUT_RDWR)

    deadline.interrupt_with(hang_up, copy.close)
    # The driver waits for the greeting as long as for an answer.
    with Deadline(limits.connect_seconds) as greeting:
        greeting.interrupt_with(hang_up)
        try:
            made.connect(wire)
        except pymysql.Error as error:
            if not greeting.passed:
                # The driver tells it like a server that is not there.
                cause = getattr(error, "original_exception", None)
                if isinstance(cause, ssl.SSLCertVerificationError):
                    raise pymysql.OperationalError(_NOT_ENCRYPTED, "") from None
                raise
    if greeting.passed:
        raise TimeoutError
    return cast("DBAPIConnection", made)


def _prepare(connection: sa.Connection, limits: ReadLimits) -> None:
    catalog = cast("MySQLCatalog", connection.dialect)
    seconds = limits.statement_seconds
    settings = (
        # One spelling of names and literals, whatever the server's own setting is.
        "sql_mode = ''",
        # Among warnings of many broken views, none of a table that is locked may be lost.
        "max_error_count = 65535",
        f"lock_wait_timeout = {max(1, int(limits.lock_seconds))}",
        f"max_statement_time = {seconds:f}"
        if catalog.is_mariadb
        else f"max_execution_time = {max(1, int(seconds * 1000))}",
    )
    connection.exec_driver_sql(f"SET SESSION {', '.join(settings)}")
    connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
    # The driver's own statements have begun a transaction, which could still write.
    connection.rollback()


def _details(inspector: sa.Inspector) -> Details:
    connection = cast("sa.Connection", inspector.bind)
    catalog = cast("MySQLCatalog", connection.dialect)
    rows = catalog.tables(connection, info_cache=inspector.info_cache)
    granted = catalog.granted(connection, info_cache=inspector.info_cache)
    [about] = catalog.rows(
        connection,
        "select schema_name as name, version() as version, @@default_storage_engine as engine,"
        " default_collation_name as collation"
        " from information_schema.schemata where schema_name = :database",
    )
    columns = catalog.columns(connection, info_cache=inspector.info_cache)
    # A role that may only DELETE is told of a table, and nothing about it. What it may ask and has
    # no columns is a view whose tables are gone.
    relations = {
        row["table_name"]: row
        for row in rows
        if row["table_type"] != "SEQUENCE"
        and (
            row["table_name"] in columns
            or (row["table_type"] == "VIEW" and _is_granted(row, granted))
        )
    }
    unread = {
        (row["table_schema"], row["table_name"])
        for row in rows
        if row["table_type"] not in ("SEQUENCE", "VIEW")
        and row["table_name"] not in columns
        and _is_granted(row, granted)
    }
    views = catalog.queries(connection)
    queries = _queries(views)
    invokers = {row["table_name"] for row in views if row["security_type"] == "INVOKER"}
    sequences, untold = _sequences(
        catalog,
        connection,
        about["name"],
        [row["table_name"] for row in rows if row["table_type"] == "SEQUENCE"],
    )
    unknown: set[UnknownFact] = {*_UNKNOWN, *untold}
    if not all(queries.values()):
        # Who may not SHOW VIEW sees a view and its columns, not its query.
        unknown.add("definitions")
    if not catalog.tells_checks:
        unknown.add("check_constraints")
    return Details(
        schema=about["name"],
        server_version=about["version"],
        kinds={name: _kind(row) for name, row in relations.items()},
        definitions={name: query for name, query in queries.items() if query},
        partition_keys=_partition_keys(catalog, connection),
        storage={
            name: _INVOKERS if name in invokers else _storage(row, about)
            for name, row in relations.items()
        },
        statistics=tuple(
            TableStatistics(
                schema=about["name"],
                table=name,
                row_estimate=_whole(row["table_rows"]),
                size_bytes=_sum(row["data_length"], row["index_length"]),
            )
            for name, row in relations.items()
            if row["table_type"] != "VIEW"
        ),
        sequences=sequences,
        granted=granted,
        unread=tuple(sorted(unread)),
        unknown=tuple(unknown),
    )


def _is_granted(row: Row, granted: tuple[tuple[str, str], ...] | None) -> bool:
    return granted is None or (row["table_schema"], row["table_name"]) in granted


def _confirm(inspector: sa.Inspector) -> None:
    """Fails if a table came, went or was altered since the first statement."""
    connection = cast("sa.Connection", inspector.bind)
    catalog = cast("MySQLCatalog", connection.dialect)
    before = catalog.tables(connection, info_cache=inspector.info_cache)
    if _made(before) != _made(catalog.tables(connection)):
        raise ReadingOvertaken


def _made(rows: list[Row]) -> set[tuple[str, object]]:
    return {(row["table_name"], row["create_time"]) for row in rows}


def _kind(row: Row) -> TableKind:
    if row["table_type"] == "VIEW":
        return "view"
    return "partitioned_table" if "partitioned" in _options(row) else "table"


def _options(row: Row) -> list[str]:
    written: str = row["create_options"] or ""
    return written.split()


def _storage(row: Row, about: Row) -> tuple[str, ...]:
    if row["table_type"] == "VIEW":
        return ()
    stored = [item for item in _options(row) if _CREATE_OPTION.fullmatch(item)]
    if row["engine"] and row["engine"] != about["engine"]:
        stored.append(f"ENGINE={row['engine']}")
    if row["table_collation"] and row["table_collation"] != about["collation"]:
        stored.append(f"COLLATE={row['table_collation']}")
    if row["table_type"] == "SYSTEM VERSIONED":
        stored.append("WITH SYSTEM VERSIONING")
    return tuple(stored)


def _whole(value: object) -> int | None:
    return None if value is None else int(str(value))


def _sum(*values: object) -> int | None:
    known = [number for value in values if (number := _whole(value)) is not None]
    return sum(known) if known else None


def _queries(views: list[Row]) -> Mapping[str, str]:
    return {
        row["table_name"]: row["view_definition"] + _CHECKED.get(row["check_option"], "")
        if row["view_definition"]
        else ""
        for row in views
    }


def _partition_keys(catalog: MySQLCatalog, connection: sa.Connection) -> Mapping[str, str]:
    return {
        row["table_name"]: f"{row['partition_method']} ({row['partition_expression'] or ''})"
        for row in catalog.rows(
            connection,
            "select distinct table_name, partition_method, partition_expression"
            " from information_schema.partitions"
            " where table_schema = :database and partition_method is not null",
        )
    }


def _sequences(
    catalog: MySQLCatalog, connection: sa.Connection, schema: str, names: list[str]
) -> tuple[tuple[Sequence, ...], tuple[UnknownFact, ...]]:
    """MariaDB's sequences; each is a table of one row, read with all others in one statement."""
    if not names:
        return (), ()
    try:
        rows = catalog.rows_of(
            connection,
            " union all ".join(
                f"select {literal(name)} as name, {_SEQUENCE} from {quoted(name)}"  # noqa: S608
                for name in names
            ),
        )
    except OperationalError:
        # A sequence that the role may see and not read, or that was dropped in between.
        return (), ("sequences",)
    return tuple(
        Sequence(
            schema=schema,
            name=row["name"],
            type="bigint",
            start=row["start_value"],
            increment=row["increment"],
            minimum=row["minimum_value"],
            maximum=row["maximum_value"],
            cache=row["cache_size"],
            cycle=bool(row["cycle_option"]),
        )
        for row in sorted(rows, key=lambda row: row["name"])
    ), ()


def _refusal(address: SourceAddress, code: object) -> str | None:
    # https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
    return {
        1044: f"user {address.user!r} may not use that database, if it exists",
        1045: f"wrong password, or user {address.user!r} is unknown or not allowed from here",
        1049: "there is no such database",
        _NOT_ENCRYPTED: encryption.refusal(address.ssl_mode),
    }.get(code if isinstance(code, int) else 0)


DIALECT = Dialect(
    catalog=MySQLCatalog,
    connect=_connect,
    prepare=_prepare,
    details=_details,
    confirm=_confirm,
    refusal=_refusal,
    is_late=_LATE.__contains__,
    remedy="Check host and port, and that the server runs.",
    # It speaks first, as others do not: with those a client waits until its time is up.
    silence=", and that the port is that of a MySQL server",
)
