"""Names in DDL: whatever they hold, PostgreSQL reads the same name back."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twd_shared.schema_model.ddl import quote_name, table_ddl
from twd_shared.schema_model.models import Column, ForeignKey, Key, Table

names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=15
)


@pytest.fixture(scope="module")
def cursor(services: Any) -> Any:
    connection = psycopg2.connect(services.database())
    connection.autocommit = True
    yield connection.cursor()
    connection.close()


@settings(max_examples=60)
@given(name=names)
def test_a_quoted_name_is_read_back_as_it_was(cursor: Any, name: str) -> None:
    cursor.execute(f"select 1 as {quote_name(name)}")
    assert cursor.description[0].name == name


@settings(max_examples=20)
@given(table=names, column=names, comment=st.text(st.characters(codec="ascii", min_codepoint=32)))
def test_ddl_of_hostile_names_and_comments_makes_that_table(
    cursor: Any, table: str, column: str, comment: str
) -> None:
    ddl = table_ddl(
        Table(
            schema="public",
            name=table,
            kind="table",
            columns=(Column(name=column, type="integer", comment=comment),),
        ),
        "postgresql",
    )
    cursor.execute("begin")
    cursor.execute(ddl)
    cursor.execute(
        "select c.relname, a.attname, col_description(c.oid, 1) from pg_class c"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum = 1"
        " where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'"
    )
    found = cursor.fetchall()
    cursor.execute("rollback")
    assert found == [(table, column, comment or None)]


@pytest.mark.parametrize("name", ["user", "order", "table", "select", "Mixed", "1st", "a b", 'a"b'])
def test_a_name_that_is_not_plain_is_quoted(name: str) -> None:
    assert quote_name(name) == '"' + name.replace('"', '""') + '"'


def test_a_plain_name_stays_readable() -> None:
    assert quote_name("film_actor_2") == "film_actor_2"


def test_mysql_names_are_quoted_its_way() -> None:
    assert quote_name("a`b", "mysql") == "`a``b`"


def test_a_table_with_keys_is_written_out_in_full() -> None:
    table = Table(
        schema="sales",
        name="order",
        kind="table",
        columns=(
            Column(name="id", type="integer", nullable=False, identity="always"),
            Column(name="shop_id", type="integer", default="1"),
            Column(name="twice", type="integer", generated="id * 2"),
        ),
        primary_key=Key(name="order_pkey", columns=("id", "shop_id")),
        unique_constraints=(Key(name=None, columns=("shop_id",)),),
        foreign_keys=(
            ForeignKey(
                name="order_shop",
                columns=("shop_id",),
                referenced_schema="public",
                referenced_table="Shop",
                referenced_columns=("id",),
                on_update="CASCADE",
                on_delete="SET NULL",
                deferrable=True,
                initially_deferred=True,
            ),
        ),
        comment="it's",
    )
    assert table_ddl(table, "postgresql") == (
        'CREATE TABLE sales."order" (\n'
        "    id integer GENERATED ALWAYS AS IDENTITY NOT NULL,\n"
        "    shop_id integer DEFAULT 1,\n"
        "    twice integer GENERATED ALWAYS AS (id * 2) STORED,\n"
        "    CONSTRAINT order_pkey PRIMARY KEY (id, shop_id),\n"
        "    UNIQUE (shop_id),\n"
        '    CONSTRAINT order_shop FOREIGN KEY (shop_id) REFERENCES public."Shop"(id)'
        " ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED\n"
        ");\n"
        "COMMENT ON TABLE sales.\"order\" IS 'it''s';"
    )
