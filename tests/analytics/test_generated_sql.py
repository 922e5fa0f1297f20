"""Generated SQL of any quality becomes facts; nothing in it raises or leaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twd_analytics.generated_sql.book import SqlBook
from twd_analytics.generated_sql.facts import SqlFacts, facts_of
from twd_analytics.generated_sql.keys import keys_of
from twd_shared.schema_model.models import Column, Snapshot, Table
from twd_shared.sql.names import SchemaNames
from twd_shared.sql.parsing import LONGEST_SQL

SHOP = Snapshot(
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
NAMES = SchemaNames("postgresql", SHOP.tables)


def facts(sql: str, db_type: str = "postgresql", names: SchemaNames | None = None) -> SqlFacts:
    return facts_of(sql, key(sql), db_type, names)


def key(sql: str) -> str:
    return keys_of(pl.Series([sql])).item()


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
    assert facts(sql).parses


@pytest.mark.parametrize(
    "sql",
    [
        "hello world",
        "I cannot answer this.",
        "select title FORM film where x = 1",
        "select (",
        "```sql\n```",
        ";",
        "select " + "(" * 19_000,
        "select * from (" * 1_300,
        "select " + "not " * 4_000 + "true",
        "select '" + "x" * LONGEST_SQL + "'",
    ],
)
def test_rubbish_does_not_parse_and_does_not_raise(sql: str) -> None:
    assert not facts(sql).parses


@given(st.text(max_size=200))
def test_no_text_raises(sql: str) -> None:
    facts(sql, "mysql", NAMES)


@pytest.mark.parametrize(
    ("sql", "verdict"),
    [
        ("select f.title, r.* from public.film f join rental r using (film_id)", "valid"),
        ("select * from tbl_film", "unknown_table"),
        ("select full_name from film", "unknown_column"),
        ("select film_id from film, rental", "ambiguous_column"),
        ("select title from film where (", "syntax"),
        ("vacuum film", "unchecked"),
    ],
)
def test_names_are_held_against_the_snapshot(sql: str, verdict: str) -> None:
    assert facts(sql, names=NAMES).verdict == verdict


def test_names_are_told_as_the_snapshot_has_them_and_as_written_where_it_has_not() -> None:
    found = facts("select F.Title, f.length from FILM f join tbl_rental r on true", names=NAMES)
    assert found.tables == ("public.film",)
    assert found.columns == (("public.film", "title"),)
    assert found.unknown_tables == ("tbl_rental",)
    assert found.unknown_columns == ("f.length",)


def test_without_a_snapshot_tables_are_those_of_the_source_as_written() -> None:
    sql = (
        "with recent as (select * from Rental) select * from recent r"
        ' join public."Film" f using (film_id), unnest(array[1]) u, (select 1 from film) d'
    )
    found = facts(sql)
    assert found.verdict == "unchecked"
    assert found.tables == ("film", "public.Film", "rental")


@pytest.mark.parametrize(
    ("sql", "reads_only"),
    [
        ("select 1", True),
        ("select 1 /* nothing */ -- more", True),
        ("select 1; drop table film", False),
        ("select 1 /* */; delete from film --", False),
        ("with gone as (delete from film returning *) select * from gone", False),
    ],
)
def test_a_write_is_seen_wherever_it_hides(sql: str, reads_only: bool) -> None:
    assert facts(sql).reads_only is reads_only


def test_the_dialect_of_the_connection_decides() -> None:
    sql = "select `title` from `film` limit 5, 10"
    assert facts(sql, "mysql").parses
    assert facts(sql, "mysql").tables == ("film",)


ALIKE = [
    ("select 1", "SELECT  2 ;"),
    ("select title from film where x = 'a'", "select title\nfrom film\nwhere x = 'b'"),
    ("select title from film limit 5", "```sql\nselect title from film limit 99\n```"),
    ("select 1 -- for Nam", "select 7"),
    ("/* it's */ select 'x'", "select 'y'"),
    ("select a from t where b in (1, 2, 3)", "select a from t where b in (9)"),
    ("select 'Hà Nội', 12.50", "select 'Huế', 3"),
]
APART = [
    ("select '1'", "select 1"),
    ("select a1 from t", "select a2 from t"),
    ("select cộ1 from t", "select cộ2 from t"),
    ('select "a 1" from t', 'select "a 2" from t'),
    ('select "A" from t', 'select "a" from t'),
    ("select 'a' 'b'", "select 'a''b'"),
    ("select $$a$$", "select $$b$$"),
    (r"select e'\'' , 1", r"select e'\'' , 2"),
    ("select 1--2", "select 1"),
    ("select a/**/b", "select ab"),
    ("select round(1)", "select round(1, 2)"),
    ("select 1 /*! drop table film */", "select 1"),
    ("select 1e5", "select 1e6"),
    ("select limit 1, 2", "select limit 1"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_texts_that_differ_in_literals_comments_and_layout_are_one_shape(
    one: str, other: str
) -> None:
    assert key(one) == key(other)
    assert facts(one).fingerprint == facts(other).fingerprint


@pytest.mark.parametrize(("one", "other"), APART)
def test_texts_that_may_mean_something_else_are_kept_apart(one: str, other: str) -> None:
    assert key(one) != key(other)


_PIECES = st.lists(
    st.sampled_from(
        [
            *("select", "from", "film", "a1", "'x'", "''", "'", '"q 1"', "`b`", "1", "2.5", "."),
            *("--", "\n", "/*", "*/", ";", "(", ")", " ", "  ", "in", "$$", "\\", "#", "```", "é"),
            *(",", "="),
        ]
    ),
    max_size=14,
).map("".join)


@given(_PIECES, _PIECES)
def test_texts_of_one_key_have_the_same_facts(one: str, other: str) -> None:
    for text in (one, other):
        # A text is of one key with whatever differs from it in numbers, blanks or case alone.
        twin = text.replace("2.5", "7").replace("  ", " ")
        if key(text) == key(twin):
            assert facts(text, names=NAMES) == facts(twin, names=NAMES)
    if key(one) == key(other):
        assert facts(one, names=NAMES) == facts(other, names=NAMES)


def test_a_shape_has_no_literals_and_no_free_text() -> None:
    one = "select count(*) as \"films of Nam Nguyễn\" from film where title = 'secret' limit 5"
    two = "SELECT count(*) AS \"films of Bao Trần\" FROM film WHERE title='other' LIMIT 9 -- note"
    shape = facts(one).shape
    assert shape == facts(two).shape
    assert not {"secret", "Nam", "5"} & set(shape.replace('"', " ").replace("'", " ").split())
    odd = facts("select $$hush$$, e'hu\\'sh', 'hush', \"hush hush\" from film -- hush").shape
    assert "?" in odd
    assert '"hush hush"' in odd.replace("$", ""), "what the source calls so is no user's word"
    assert odd.replace('"hush hush"', "").count("hush") == 0


class Grammar:
    """A server's grammar that refuses some texts; keeps what it was asked."""

    def __init__(self, *refuses: str) -> None:
        self.asked: list[str] = []
        self._refuses = refuses

    def __call__(self, texts: Sequence[str]) -> set[int]:
        self.asked += texts
        return {place for place, text in enumerate(texts) if text in self._refuses}


def kinds(*rows: tuple[str, int, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        rows,
        schema={
            "connection_id": pl.Categorical,
            "schema_version": pl.Int32,
            "sql": pl.Categorical,
        },
        orient="row",
    )


def snapshots(loaded: list[tuple[str, int]]) -> Callable[[str, int], Snapshot]:
    def load(connection_id: str, version: int) -> Snapshot:
        loaded.append((connection_id, version))
        return SHOP

    return load


def test_each_shape_of_a_version_is_looked_into_once_in_a_run() -> None:
    loaded: list[tuple[str, int]] = []
    grammar = Grammar()
    book = SqlBook(snapshots(loaded), {"1": "postgresql"}, grammar)
    rows = [
        ("1", 1, "select title from film where film_id = 1"),
        ("1", 1, "SELECT title FROM film WHERE film_id = 2"),
        ("1", 1, None),
        ("1", 0, "select title from film where film_id = 3"),
    ]
    first = book.enter(kinds(*rows)).sort("schema_version", "sql", nulls_last=True)
    again = book.enter(kinds(*rows[::-1])).sort("schema_version", "sql", nulls_last=True)
    assert first["entry"].to_list() == again["entry"].to_list()
    assert first["entry"].null_count() == 1
    assert [one.verdict for one in book.facts] in (["valid", "unchecked"], ["unchecked", "valid"])
    assert loaded == [("1", 1)]
    assert len(grammar.asked) == 2


def test_what_the_server_would_not_take_does_not_parse() -> None:
    grammar = Grammar("select title from film")
    book = SqlBook(snapshots([]), {"1": "postgresql", "2": "mysql"}, grammar)
    book.enter(
        kinds(
            ("1", 0, "```\nselect title from film\n```"),
            ("1", 0, "select 1"),
            ("2", 0, "select title from film"),
        )
    )
    assert sorted(one.parses for one in book.facts) == [False, True, True]
    assert sorted(grammar.asked) == ["select 1", "select title from film"]


def test_no_sql_at_all_is_entered_too() -> None:
    book = SqlBook(snapshots([]), {}, Grammar())
    assert book.enter(kinds(("1", 0, None)))["entry"].to_list() == [None]
    assert book.enter(kinds()).is_empty()
