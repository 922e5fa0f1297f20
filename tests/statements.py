"""Statements on a PostgreSQL database, as tests prepare and change it."""

from __future__ import annotations

from contextlib import closing

import psycopg2


def execute(dsn: str, *statements: str) -> None:
    """Execute the statements, each in a transaction of its own."""
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
