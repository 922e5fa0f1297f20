"""Reading other dialects through reflection: the same model, honest about what is not known."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from twd_schema.extraction.limits import ReadLimits
from twd_schema.extraction.reading import SchemaReader
from twd_schema.extraction.reflection import _CREATE_VIEW
from twd_shared.errors import SourceUnavailable
from twd_shared.schema_model.ddl import table_ddl
from twd_shared.schema_model.models import Column, Constraint, Index, Key, Snapshot, Table

SCHEMA = """
create table regions (country text not null, code text not null, primary key (country, code));
create table shops (
    id integer primary key, name varchar(40) not null default 'new', price numeric(10, 2),
    twice numeric generated always as (price * 2) stored, country text, region text,
    constraint shops_name_key unique (name),
    constraint price_check check (price >= 0),
    constraint shops_region_fkey foreign key (country, region)
        references regions (country, code) on delete cascade);
create index shops_price_idx on shops (price, name);
create table "bảng ""x""; drop table shops" (a int);
create view cheap as select id from shops where price < 5;
"""

reader = SchemaReader(frozenset({"sqlite"}), ReadLimits())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
    return path


@pytest.fixture
def snapshot(file: Path, connection_to: Any) -> Snapshot:
    return reader.read(connection_to(f"sqlite:///{file}", "sqlite"))


def table(snapshot: Snapshot, name: str) -> Table:
    [found] = [item for item in snapshot.tables if item.name == name]
    return found


def test_tables_and_views_are_read(snapshot: Snapshot) -> None:
    assert [(item.label, item.kind) for item in snapshot.tables] == [
        ('main.bảng "x"; drop table shops', "table"),
        ("main.cheap", "view"),
        ("main.regions", "table"),
        ("main.shops", "table"),
    ]


def test_columns_keys_constraints_and_indexes_are_read(snapshot: Snapshot) -> None:
    shops = table(snapshot, "shops")
    assert shops.columns[:4] == (
        Column(name="id", type="INTEGER"),
        Column(name="name", type="VARCHAR(40)", nullable=False, default="'new'"),
        Column(name="price", type="NUMERIC(10, 2)"),
        Column(name="twice", type="NUMERIC", generated="price * 2"),
    )
    assert shops.primary_key == Key(name=None, columns=("id",))
    assert shops.unique_constraints == (Key(name="shops_name_key", columns=("name",)),)
    assert shops.constraints == (Constraint(name="price_check", definition="CHECK (price >= 0)"),)
    assert shops.indexes == (Index(name="shops_price_idx", columns=("price", "name")),)


def test_a_composite_foreign_key_keeps_its_columns_and_action(snapshot: Snapshot) -> None:
    [key] = table(snapshot, "shops").foreign_keys
    assert (key.referenced_schema, key.referenced_table) == ("main", "regions")
    assert (key.columns, key.referenced_columns) == (("country", "region"), ("country", "code"))
    assert key.on_delete == "CASCADE"


def test_a_view_comes_with_its_query(snapshot: Snapshot) -> None:
    cheap = table(snapshot, "cheap")
    assert cheap.definition == "select id from shops where price < 5"
    assert table_ddl(cheap, "sqlite") == (
        "CREATE VIEW main.cheap (id) AS\nselect id from shops where price < 5;"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW v AS select 1 as x",
        'create temp view if not exists "a ""as"" b" (x) as select 1 as x',
        "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`%` SQL SECURITY DEFINER VIEW `a``b`.`c as d`"
        " AS select 1 as x",
    ],
)
def test_a_views_query_is_taken_out_of_its_statement(statement: str) -> None:
    assert _CREATE_VIEW.sub("", statement, count=1) == "select 1 as x"


def test_what_the_dialect_cannot_tell_is_named(snapshot: Snapshot) -> None:
    assert set(snapshot.unknown) == {"comments", "enums", "domains", "identity"}


def test_two_readings_are_equal(snapshot: Snapshot, file: Path, connection_to: Any) -> None:
    assert reader.read(connection_to(f"sqlite:///{file}", "sqlite")) == snapshot


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, connection_to: Any) -> None:
    missing = tmp_path / "missing.db"
    with pytest.raises(SourceUnavailable, match=r"connection 7 \(shop\)"):
        reader.read(connection_to(f"sqlite:///{missing}", "sqlite"))
    assert not missing.exists()


def test_a_file_that_is_no_database_is_an_error_of_ours(tmp_path: Path, connection_to: Any) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("no database" * 100)
    with pytest.raises(SourceUnavailable, match="is a SQLite database"):
        reader.read(connection_to(f"sqlite:///{other}", "sqlite"))
