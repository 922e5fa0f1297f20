"""SQLite: how a file is read without a trace, and what is read beside columns and keys."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import cast
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection

from twd_schema.extraction.deadline import Deadline
from twd_schema.extraction.dialects.dialect import Details, Dialect
from twd_schema.extraction.dialects.sql_text import tokens
from twd_schema.extraction.dialects.sqlite_catalog import SCHEMA, Relation, SQLiteCatalog
from twd_shared.schema_model.models import TableStatistics, UnknownFact
from twd_shared.sources.address import SourceAddress
from twd_shared.sources.limits import ReadLimits

_UNKNOWN: tuple[UnknownFact, ...] = (
    "comments",
    "composites",
    "domains",
    "enums",
    "extensions",
    "partitions",
    "ranges",
    "routines",
    "sequences",
)
# https://www.sqlite.org/fileformat2.html#the_database_header
_HEADER_BYTES = 20
_READ_VERSION = 19
_WRITE_AHEAD_LOG = 2


def _connect(address: SourceAddress, limits: ReadLimits, deadline: Deadline) -> DBAPIConnection:
    # Only a file: URI can say read-only; without it a missing file would be made.
    uri = f"file:{quote(address.database)}?mode=ro"
    # SQLite keeps the log beside the file that a link leads to.
    if _needs_no_log(Path(os.path.realpath(address.database))):
        # Even a reader would lay a log and an index of it beside the file.
        uri += "&immutable=1"
    made = sqlite3.connect(uri, uri=True, timeout=limits.lock_seconds)
    deadline.interrupt_with(made.interrupt)
    return cast("DBAPIConnection", made)


def _needs_no_log(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            header = opened.read(_HEADER_BYTES)
    except OSError:
        # SQLite says what is wrong with it.
        return False
    return (
        header[_READ_VERSION:] == bytes([_WRITE_AHEAD_LOG])
        and not file.with_name(f"{file.name}-wal").exists()
    )


def _prepare(connection: sa.Connection, _: ReadLimits) -> None:
    connection.exec_driver_sql("PRAGMA query_only = on")
    # One state of the file for all statements: the driver begins no transaction to read.
    connection.exec_driver_sql("BEGIN")


def _details(inspector: sa.Inspector) -> Details:
    connection = cast("sa.Connection", inspector.bind)
    catalog = cast("SQLiteCatalog", connection.dialect)
    relations = catalog.relations(connection, info_cache=inspector.info_cache)
    rows = catalog.row_estimates(connection)
    return Details(
        schema=SCHEMA,
        server_version=sqlite3.sqlite_version,
        kinds={item.name: "view" if item.type == "view" else "table" for item in relations},
        definitions=_queries(relations),
        storage={item.name: _storage(item) for item in relations},
        statistics=tuple(
            TableStatistics(schema=SCHEMA, table=item.name, row_estimate=rows.get(item.name))
            for item in relations
            if item.type != "view"
        ),
        unknown=_UNKNOWN,
    )


def query_of(statement: str) -> str:
    """What stands behind AS in a CREATE VIEW."""
    found = tokens(statement)
    keywords = [token.keyword for token in found]
    # The view's own name cannot be AS without quotes.
    query = found[keywords.index("AS") + 1 :] if "AS" in keywords else []
    return statement[query[0].start :] if query else ""


def _queries(relations: list[Relation]) -> Mapping[str, str]:
    return {item.name: query_of(item.sql) for item in relations if item.type == "view"}


def _storage(relation: Relation) -> tuple[str, ...]:
    words = (("STRICT", relation.strict), ("WITHOUT ROWID", relation.without_rowid))
    return tuple(word for word, holds in words if holds)


DIALECT = Dialect(
    catalog=SQLiteCatalog,
    connect=_connect,
    prepare=_prepare,
    details=_details,
    # One transaction sees one state.
    confirm=lambda _inspector: None,
    # There is no server that could refuse, and a locked file is waited for in the driver.
    refusal=lambda _address, _code: None,
    is_late=lambda _code: False,
    remedy="Check that the file exists here, can be read and is a SQLite database.",
)
