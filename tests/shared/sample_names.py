"""Tables as SQL names them: those that a test makes up, and those of the sample database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from twd_shared.schema_model.models import Column, Table

Cursor = Any


def table(name: str, *columns: str, schema: str = "public") -> Table:
    """A table with columns of text."""
    made = tuple(Column(name=column, type="text") for column in columns)
    return Table(schema=schema, name=name, kind="table", columns=made)


@pytest.fixture(scope="module")
def pagila(services: Any) -> Iterator[Cursor]:
    """Statements on the sample database, as its owner; all is undone."""
    name = sa.make_url(services.source("pagila")).database
    owner = sa.make_url(services.postgres).set(database=name)
    connection = psycopg2.connect(owner.render_as_string(hide_password=False))
    with connection.cursor() as cursor:
        yield cursor
    connection.rollback()
    connection.close()


@pytest.fixture(scope="module")
def pagila_tables(pagila: Cursor) -> list[Table]:
    """The tables and views of the sample database."""
    pagila.execute(
        "select table_schema, table_name, array_agg(column_name::text order by ordinal_position)"
        " from information_schema.columns"
        " where table_schema not in ('pg_catalog', 'information_schema') group by 1, 2"
    )
    return [table(name, *columns, schema=schema) for schema, name, columns in pagila.fetchall()]
