"""Databases and roles of the local PostgreSQL: who owns what, who may only read."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg2 import sql

from twd_local.postgres.databases import autocommitting, ensure_database, ensure_role
from twd_local.sources.reader import ensure_reader_role, grant_reader
from twd_local.stack.environment import (
    APPLICATION_DATABASE,
    APPLICATION_READER,
    APPLICATION_ROLE,
    METADATA_DATABASE,
    METADATA_ROLE,
    admin_dsn,
    application_admin_dsn,
)
from twd_local.stack.home import Home
from twd_local.stack.private_files import password

_CLOSE_TO_OTHERS = sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC")
# Analytics asks for the grammar of SQL that it does not run: twd_shared/sql/grammar.py.
_MAY_QUIET_ITS_LOG = sql.SQL("GRANT SET ON PARAMETER log_min_messages TO {}")


def create_databases(home: Home, ports: Mapping[str, int]) -> None:
    """Create what is missing: the metadata database, the application's, and their roles."""
    server = admin_dsn(home, ports)
    for role, database in (
        (METADATA_ROLE, METADATA_DATABASE),
        (APPLICATION_ROLE, APPLICATION_DATABASE),
    ):
        ensure_role(server, role, password(home.secrets / role))
        ensure_database(server, database, owner=role)
        _close_to_others(server, database)
    _execute(server, _MAY_QUIET_ITS_LOG.format(sql.Identifier(METADATA_ROLE)))
    ensure_reader_role(server, APPLICATION_READER, password(home.secrets / APPLICATION_READER))
    grant_reader(application_admin_dsn(home, ports), APPLICATION_READER)


def _close_to_others(server: str, database: str) -> None:
    _execute(server, _CLOSE_TO_OTHERS.format(sql.Identifier(database)))


def _execute(server: str, statement: sql.Composed) -> None:
    with autocommitting(server) as cursor:
        cursor.execute(statement)
