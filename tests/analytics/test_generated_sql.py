"""Generated SQL of any quality becomes facts; nothing in it raises or leaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twd_analytics.generated_sql.names import KnownNames
from twd_analytics.generated_sql.parsing import facts_of, statements_of
from twd_shared.schema_model.models import Column, Snapshot, Table


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "```sql\nselect title from film;\n```",
        "Here you are:\n```\nselect 1\n```\nEnjoy!",
        "```sql\nselect 1",
        "select 1; select 2;",
        "with a as (select 1) select * from a",
    ],
)
def test_usable_sql_parses(sql: str) -> None:
    assert facts_of(sql, "postgresql").parses


@pytest.mark.parametrize(
    "sql",
    [
        "hello world",
        "I cannot answer this.",
        "show me the films",
        "select title FORM film where x = 1",
        "select (",
        "```sql\n```",
        ";",
        "select " + "(" * 19_000,
        "select * from (" * 1_300,
        "select " + "not " * 4_000 + "true",
        "select '" + "x" * 1_000_000 + "'",
    ],
)
def test_rubbish_does_not_parse_and_does_not_raise(sql: str) -> None:
    assert not facts_of(sql, "postgresql").parses


@given(st.text(max_size=200))
def test_no_text_raises(sql: str) -> None:
    facts_of(sql, "mysql")


def test_tables_are_those_of_the_source_not_those_that_the_statement_defines() -> None:
    sql = (
        "with recent as (select * from Rental) select * from recent r"
        ' join public."Film" f using (film_id), unnest(array[1]) u, (select 1 from film) d'
    )
    assert facts_of(sql, "postgresql").tables == ("film", "public.Film", "rental")


def test_shape_has_no_literals_and_no_free_text() -> None:
    one = "select count(*) as \"films of Nam Nguyễn\" from film where title = 'secret' limit 5"
    two = "SELECT count(*) AS \"films of Bao Trần\" FROM film WHERE title='other' LIMIT 9 -- note"
    shape = facts_of(one, "postgresql").shape
    assert shape == facts_of(two, "postgresql").shape
    assert "?" in shape
    assert not {"secret", "Nam", "5"} & set(shape.replace('"', " ").replace("'", " ").split())


def test_dialect_of_the_connection_decides() -> None:
    sql = "select `title` from `film` limit 5, 10"
    assert facts_of(sql, "mysql").parses
    assert facts_of(sql, "mysql").tables == ("film",)


NAMES = KnownNames(
    Snapshot(
        dialect="postgresql",
        database_name="shop",
        server_version="16",
        tables=tuple(
            Table(
                schema="public",
                name=name,
                kind="table",
                columns=tuple(Column(name=column, type="text") for column in columns),
            )
            for name, columns in {
                "film": ("film_id", "title"),
                "rental": ("rental_id", "film_id"),
            }.items()
        ),
    )
)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("select title from film", None),
        ("select f.title, r.* from public.film f join rental r using (film_id)", None),
        ("select title t, count(*) n from film group by t order by n", None),
        ("select FILM.Title from Film", None),
        ("select count(f) from film f", None),
        ("select x.anything from (select title as anything from film) x", None),
        ("with film as (select 1 as one) select film.one from film", None),
        ("select f.anything from film f where f.title in (select 1)", "unknown_column"),
        ("select * from information_schema.tables", None),
        ("select * from tbl_film", "unknown_table"),
        ("select * from other.film", "unknown_table"),
        ("select full_name from film", "unknown_column"),
        ("select f.full_name from film f join rental r using (film_id)", "unknown_column"),
    ],
)
def test_names_are_held_against_the_snapshot(sql: str, fault: str | None) -> None:
    assert NAMES.fault_of(statements_of(sql, "postgresql")) == fault
