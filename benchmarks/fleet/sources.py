"""The fleet's source databases: copies of a few schemas, each with a table that no other has."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

import psycopg2
from psycopg2 import sql

from benchmarks.realistic_schema import realistic_schema
from twd_local.postgres import ensure_database
from twd_local.sources import (
    SOURCES,
    ensure_reader_role,
    grant_reader,
    load_source,
    with_database,
    with_login,
)

_READER, _PASSWORD = "fleet_reader", "fleet-reader"
_GENERATED, _GENERATED_TABLES = "generated", 30
SCHEMAS = (*SOURCES, _GENERATED)
"""What the copies are copies of, in turn."""


class Fleet:
    """Source databases on one server, made when asked for."""

    def __init__(self, admin_dsn: str) -> None:
        """Make what the copies are made of; `admin_dsn` is a superuser's address."""
        self._admin = admin_dsn
        ensure_reader_role(admin_dsn, _READER, _PASSWORD)
        for name in SOURCES:
            load_source(admin_dsn, name, _READER, database=f"origin_{name}")
        generated = f"origin_{_GENERATED}"
        ensure_database(admin_dsn, generated)
        statements = ";\n".join(realistic_schema(_GENERATED_TABLES))
        self._execute(with_database(admin_dsn, generated), statements, "analyze")
        grant_reader(with_database(admin_dsn, generated), _READER)

    def copies(self, prefix: str, count: int) -> Mapping[str, str]:
        """Name → read-only address of so many new databases."""
        return {name: self._copy(name, number) for number, name in _names(prefix, count)}

    def _copy(self, name: str, number: int) -> str:
        origin = f"origin_{SCHEMAS[number % len(SCHEMAS)]}"
        statement = sql.SQL("create database {} template {}")
        self._execute(self._admin, statement.format(sql.Identifier(name), sql.Identifier(origin)))
        database = with_database(self._admin, name)
        # Of equal contents one embedding would do.
        own = sql.SQL("create table public.{} (id int primary key, {} text not null)")
        self._execute(
            database, own.format(sql.Identifier(f"{name}_notes"), sql.Identifier(f"of_{name}"))
        )
        return with_login(database, _READER, _PASSWORD)

    @staticmethod
    def _execute(dsn: str, *statements: str | sql.Composable) -> None:
        with closing(psycopg2.connect(dsn)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)


def _names(prefix: str, count: int) -> list[tuple[int, str]]:
    return [(number, f"{prefix}_{number:03d}") for number in range(count)]
