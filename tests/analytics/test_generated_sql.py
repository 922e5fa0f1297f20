"""Generated SQL of any quality becomes facts; nothing in it raises or leaks."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable, Sequence

import msgspec
import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sqlglot import exp
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token

from twd_analytics.generated_sql import book as book_module
from twd_analytics.generated_sql.book import SqlBook
from twd_analytics.generated_sql.facts import NOT_PARSED, SqlFacts, facts_of
from twd_analytics.generated_sql.keys import keys_of
from twd_shared.schema_model.models import Column, Snapshot, Table
from twd_shared.sql import parsing
from twd_shared.sql.canonical import canonical
from twd_shared.sql.grammar import PostgresGrammar
from twd_shared.sql.names import SchemaNames
from twd_shared.sql.parsing import (
    LONGEST_SQL,
    of_unknown_type,
    parsed,
    parsed_in_any,
    unfenced,
)
from twd_shared.sql.references import references_of
from twd_shared.sql.writing import only_reads

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
    found = key(sql, db_type)
    return NOT_PARSED if found is None else facts_of(found, db_type, names)


def key(sql: str, db_type: str = "postgresql") -> str | None:
    texts = pl.DataFrame({"connection_id": ["1"], "sql": [sql]})
    return keys_of(texts, {"1": db_type}).item()


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
        "```\nselect 1 -- " + "x" * LONGEST_SQL + "\n; delete from film\n```",
    ],
)
def test_rubbish_does_not_parse_and_does_not_raise(sql: str) -> None:
    assert not facts(sql).parses


@pytest.mark.parametrize(
    "sql",
    [
        "select '" + "x" * LONGEST_SQL + "'",
        # Too long only as all texts that are alike are written.
        "values " + ",".join(["(1,2)"] * (LONGEST_SQL // 7)),
    ],
)
def test_what_is_too_long_to_be_parsed_is_no_syntax_error(sql: str) -> None:
    told = facts(sql, names=NAMES)
    assert (told.verdict, told.parses) == ("unchecked", False)


@pytest.mark.parametrize(
    "sql",
    [
        'select `title` from `film` where title = "it\\\'s"',
        "select title from film where title like E'%\\'s' and body = $$it's$$",
        "select [title] from film",
        "select title # as it is called\nfrom film",
    ],
)
@pytest.mark.parametrize("db_type", ["", "oracle"])
def test_sql_of_a_database_whose_type_is_not_known_may_be_in_any_dialect(
    sql: str, db_type: str
) -> None:
    told = facts(sql, db_type)
    assert (told.verdict, told.reads_only, told.tables) == ("unchecked", True, ("film",))
    for rubbish in ("hello world", "select title frm film,", "select 'x", "{'a': 1}"):
        assert facts(rubbish, db_type).verdict == "syntax"


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 /*! into outfile '/tmp/x' */",
        "select `a` from t # and\n; delete from t",
        "select 1 from `t` where a = 'x\\' --'; delete from t",
    ],
)
def test_a_write_is_not_hidden_from_a_database_whose_type_is_not_known(sql: str) -> None:
    assert not facts(sql, "").reads_only
    assert facts(sql, "") == facts(sql, "oracle")


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
    assert found.unknown_columns == ("length",)


def test_a_table_that_several_schemas_have_is_not_unknown_where_none_is_named() -> None:
    orders = (
        Table(schema=schema, name="orders", kind="table", columns=(Column("total", "text"),))
        for schema in ("sales", "archive")
    )
    names = SchemaNames("postgresql", orders)
    found = facts("select total from Orders join archive.orders a using (total)", names=names)
    assert (found.verdict, found.tables) == ("valid", ("archive.orders", "orders"))
    assert found.unknown_tables == ()
    assert facts("select 1 from other.orders", names=names).unknown_tables == ("other.orders",)


def test_without_a_snapshot_tables_are_those_of_the_source_as_written() -> None:
    sql = (
        "with recent as (select * from Rental) select * from recent r"
        ' join public."Film" f using (film_id), unnest(array[1]) u, (select 1 from film) d'
    )
    found = facts(sql)
    assert found.verdict == "unchecked"
    assert found.tables == ("film", "rental", "…")


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
    ("select 'Hà Nội', 12.50", "select 'Huế', 3.5"),
]
APART = [
    ("select '1'", "select 1"),
    ("select a1 from t", "select a2 from t"),
    ("select cộ1 from t", "select cộ2 from t"),
    ('select "a 1" from t', 'select "a 2" from t'),
    ('select "A" from t', 'select "a" from t'),
    ("select 'a' 'b'", "select 'a''b'"),
    ("select $$a$$", "select $$b$$"),
    ("select a/**/b", "select ab"),
    ("select round(1)", "select round(1, 2)"),
    ("select 1e5", "select 1e6"),
    ("select 1.5", "select 1.5.3"),
    ("select limit 1, 2", "select limit 1"),
    ("select 1 where 1 = ?", "select 1 where 1 = 1"),
    ("select 1 from film where title = 'x'", "select 1 from film where title = '"),
    ("select 1 where 'x' in ('x')", "select 1 where 'x' in (')"),
    ("select title from film; -- done", "select title from film; -- done\rdelete from film"),
    ("select b'101'", "select b'222'"),
    ("select 1 /* a * /* b */ */ from film", "select 1 */ from film"),
    ("explain (verbose 'x') delete from film", "explain (verbose 'y') delete from film"),
    ("select interval '1 day' d", "select interval '1' d"),
    ("select 'a'\n'b'", "select 'a' 'b'"),
    ("select\u00a01", "select 1"),
]
OF_MYSQL = [
    ("select title as 'a' from film having a > 1", "select title as 'b' from film having a > 1"),
    ("select title 'a' from film having a > 1", "select title 'b' from film having a > 1"),
    ("select 5", "select 5 --1; delete from film"),
    ("select 1 /*! ; drop table film */", "select 1"),
]
OF_SQLITE = [
    ("select * from 'film'", "select * from 'nope'"),
    ("select * from film, 'film'", "select * from film, 'nope'"),
    ("select [film 1]", "select [film 2]"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_texts_that_differ_in_literals_comments_and_layout_are_one_shape(
    one: str, other: str
) -> None:
    assert key(one) == key(other)
    assert facts(one).fingerprint == facts(other).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select title from film where film_id=1", "select title from film where film_id = 1"),
        ("select count (*),max( film_id )from film", "select count(*), max(film_id) from film"),
        (
            "select title from film where film_id in(1,-2)",
            "select title from film where film_id in (3)",
        ),
        ("select film_id+1, title::text from film", "select film_id + 1, title :: text from film"),
        ("select f . title from film f; select 1", "select f.title from film f ;select 2"),
    ],
)
@pytest.mark.parametrize("db_type", ["postgresql", "sqlite"])
def test_texts_of_the_same_words_are_one_shape_however_far_these_stand_apart(
    one: str, other: str, db_type: str
) -> None:
    assert facts(one, db_type).fingerprint == facts(other, db_type).fingerprint != ""


@pytest.mark.parametrize(("one", "other"), APART)
def test_texts_that_may_mean_something_else_are_kept_apart(one: str, other: str) -> None:
    assert key(one) != key(other)


@pytest.mark.parametrize(
    ("db_type", "one", "other"),
    [*(("mysql", *pair) for pair in OF_MYSQL), *(("sqlite", *pair) for pair in OF_SQLITE)],
)
def test_what_another_dialect_takes_for_a_name_or_for_code_is_kept_apart(
    db_type: str, one: str, other: str
) -> None:
    assert key(one, db_type) != key(other, db_type)


ALIKE_IN_ANY = [
    (
        "select `a` from `t` where b = 'x' and c = 5",
        "SELECT `a` FROM `t`\nWHERE b = '#7' AND  c = 6",
    ),
    ("select `a` from `t` where b = 'x'", 'select `a` from `t` where b = "Nam"'),
    ("select `a` from `t` where b = 'x'", "select `a` from `t` where b = '/*' -- 5"),
    ("select a from t where b = 'x' and c = 5", "select a from t where b = '$5' and c = 6"),
    ("select a from t where b = 'x'", "select a from t where b = '#tag [1]' -- it's `so`"),
    ("select a from t where b ~ 'x'", "select a from t where b ~ '^\\d+$'"),
    ("select a from t where b = 'it\\'s'", "select a from t where b = 'Nam\\'s'"),
    ("select a as b # of Nam\nfrom t", "select a as b # of Bao\nfrom t"),
    ("select a[1] from t where b = 'x'", "select a[2] from t where b = 'y'"),
    ("select a from t where b = $1 and c = 5", "select a from t where b = $1 and c = 6"),
    ("select [a b] from t where c = 5", "select [a b] from t where c = 6"),
    ("select `a` frm `t` where b = 5, 'x'", "select `a` frm `t` where b = 6, 'y'"),
]
APART_IN_ANY = [
    ("select `a 1` from `t`", "select `a 2` from `t`"),
    ("select `A` from `t`", "select `a` from `t`"),
    ("select `a` from `t`", "select `a` from `t` --1; delete from t"),
    ("select `a` from `t`", "select `a` from `t` # and\n; delete from t"),
    ("select a from t", "select a from t # and\n; delete from t"),
    ("select straight_join `a` from t", "select straight_join `a` from t --1; delete from t"),
    ("select `a` from t /* b */", "select `a` from t /* /* b */ ; delete from t -- */ */"),
    ("select a from t", "select a from t /* /* */ ; delete from t -- */ */"),
    (
        "select a from t where b = 'x' or c = 'y'",
        r"select a from t where b = '\' or c = '; drop t; -- '",
    ),
    ("select `a` from t where b = 'x'", "select `a` from t where b = '\\'; delete from t -- '"),
    ("select `a` from t where b = 'x'", "select `a` from t where b = 'x\\' -- '; delete from t"),
    ("select 1 from `t`", "select 1 from `t` /*! into outfile '/tmp/x' */"),
    ("select 1", "select 1 /*! into outfile '/tmp/x' */"),
    ("select $$a$$", "select $$; delete from t; $$"),
    ("select [a]", "select [a; delete from t]"),
    ("select 0x1", "select 0x2"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE_IN_ANY)
@pytest.mark.parametrize("db_type", ["", "oracle"])
def test_texts_that_differ_in_literals_are_alike_where_the_database_type_is_not_known(
    db_type: str, one: str, other: str
) -> None:
    assert key(one, db_type) == key(other, db_type)
    assert facts(one, db_type) == facts(other, db_type)


@pytest.mark.parametrize(("one", "other"), APART_IN_ANY)
def test_what_some_dialect_reads_otherwise_is_kept_apart_where_the_database_type_is_not_known(
    one: str, other: str
) -> None:
    assert key(one, "") != key(other, "")


def test_one_kind_of_text_is_parsed_a_few_times_where_the_database_type_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    parse = Parser.parse

    def counted(self: Parser, raw_tokens: list[Token], sql: str = "") -> list[exp.Expr | None]:
        asked.append(sql)
        return parse(self, raw_tokens, sql)

    monkeypatch.setattr(Parser, "parse", counted)
    kinds_of_text = (
        "select `counted` from `t` where b = 'x{0}' and c = {0}",
        "select counted from t where b = '${0}' and c = {0}",
        "select counted from t where b = 'it\\'s {0}' and c = {0}",
        "select `counted` frm `t` where b = '#{0}' and c = {0}",
    )
    texts = [kind.format(number) for kind in kinds_of_text for number in range(200)]
    book = SqlBook(snapshots([]), {}, Grammar())
    book.enter(kinds(*(("1", 0, text) for text in texts)))
    assert len(book.facts) == len(kinds_of_text)
    # In each dialect, and again for the facts.
    assert 0 < len(asked) <= 8 * len(kinds_of_text)


_PIECES = (
    *("'x'", "'\\'", "'it\\'s'", " or title = ", "'; delete from film; -- '", '"\'"', '"x"', "'#'"),
    *(
        "`b`",
        "[c]",
        " # ",
        " -- ",
        "--1",
        "/*",
        "*/",
        "/*!",
        "; delete from film",
        "\n",
        "$$",
        " as ",
    ),
    *("1", "title", ", ", " into outfile ", "\\", "'", '"', "`"),
)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(_PIECES), max_size=9).map("".join), st.booleans())
@example("'\\' or title = '; delete from film; -- '", False)
@example("'x' --1; delete from film", True)
@example("'x' /* /* */ ; delete from film -- */ */", False)
def test_no_key_hides_what_a_dialect_takes_for_a_write(end: str, is_quoted: bool) -> None:
    column = "`title`" if is_quoted else "title"
    sql = f"select {column} from film where title = {end}"
    assume("```" not in sql)
    found = key(sql, "")
    assert found is not None
    assert facts_of(found, "", None).reads_only == facts_of(sql, "", None).reads_only
    text = of_unknown_type(sql)
    for db_type in parsing.TYPES_TRIED:
        said, kept = parsed(text, db_type), parsed(found, db_type)
        if said is not None and not only_reads(said, db_type) and found != sql:
            assert not facts_of(found, "", None).reads_only or (
                kept is not None and not only_reads(kept, db_type)
            )


_WORDS = (
    *("select", "select", "from", "film", "Film", "a1", "as", "where", "in", "interval", "having"),
    *("'x'", "''", "'", "b'1'", '"Q 1"', "`b`", "[c]", "1", "2.5", "1.2.3", ".", ",", "(", ")"),
    *(
        "--",
        "-- ",
        "\n",
        "\r",
        "/*",
        "*/",
        "/*!",
        "/*+",
        ";",
        " ",
        "  ",
        "$$",
        "\\",
        "#",
        "?",
        "é",
        "\u00a0",
    ),
    *("=", "::", "delete from film", "title", "explain"),
)
_TEXTS = st.lists(st.sampled_from(_WORDS), max_size=14).flatmap(
    lambda words: st.sampled_from(["", " "]).map(lambda gap: gap.join(words))
)


@given(_TEXTS, st.sampled_from(["postgresql", "mysql", "sqlite", ""]))
def test_a_key_says_of_a_text_what_the_text_says(sql: str, db_type: str) -> None:
    names = SchemaNames(db_type, SHOP.tables)
    dialect, statements = parsed_in_any(unfenced(sql), db_type)
    found = references_of(statements, names)
    told = facts(sql, db_type, names)
    if found.problem == "syntax":
        assert not told.parses
        return
    assert told.parses
    assert told.reads_only == only_reads(statements, dialect)
    if found.parses:
        assert told.verdict == found.verdict
        assert told.tables == tuple(sorted(map(".".join, found.tables)))


@pytest.mark.parametrize("step", ["1 day", "01:00", "P1D"])
def test_the_step_of_a_series_is_no_name_in_a_key(step: str) -> None:
    text = f"select d from generate_series('2026-01-01'::date, now(), '{step}') d"
    assert "generate_series('x'::date, now(), 'x')" in (key(text) or "")
    assert facts(text, names=NAMES).verdict == "valid"


@given(_TEXTS)
@example("select,")
@example("select (,), ,")
@example("select 'O''Brien', , ")
@example("select 2.5é")
@example("select 5\u0301")
@example("-- it's\n/* film */ \tselect 'x' from film")
@example("/*! film */select 1")
@example("--1\nselect 1")
@example("/* film\u00a0*/ select 1")
def test_whichever_way_a_key_is_made_it_is_the_same(sql: str) -> None:
    text = unfenced(sql)
    if key(sql) != canonical(text, "postgresql"):
        # Numbers that end in a dot are two words to one way and one to the other, which leaves as
        # it is what it cannot take apart.
        assert re.search(r"[0-9]\.(?![0-9])", sql) or canonical(text, "postgresql") == text


@pytest.mark.parametrize("db_type", ["postgresql", "mysql", "sqlite"])
def test_a_word_that_begins_other_statements_may_stand_in_a_text_that_is_like_another(
    db_type: str,
) -> None:
    one = "select replace(title, 1, 2) as show from film -- best\n fetch first 5 rows only"
    two = "SELECT replace(title,3,4) AS show FROM film FETCH FIRST 10 ROWS ONLY"
    assert key(one, db_type) == key(two, db_type)
    assert facts(one, db_type).fingerprint == facts(two, db_type).fingerprint != ""


def test_a_shape_has_no_literals_and_no_free_text() -> None:
    one = "select count(*) as \"films of Nam Nguyễn\" from film where title = 'secret' limit 5"
    two = "SELECT count(*) AS \"films of Bao Trần\" FROM film WHERE title='other' LIMIT 9 -- note"
    assert facts(one).shape == "select count(*) as \"…\" from film where title = '?' limit ?"
    assert "Bao" not in facts(two).shape


@pytest.mark.parametrize(
    ("db_type", "sql"),
    [
        ("postgresql", "select $$hush$$, e'hu\\'sh', 'hush', \"hush hush\" from film -- hush"),
        ("postgresql", "select title::json->'hush'->>'hush' from film"),
        ("postgresql", "select interval 'hush', date_trunc('hush', now()) from film"),
        ("postgresql", 'select title as "hush" from film where title = "hush"'),
        ("mysql", "select title->'$.hush', \"hush\", title 'hush' from film # hush"),
        ("mysql", "Show me the salary of hush"),
        ("sqlite", 'select title as [hush], `hush` from film where title = "hush"'),
    ],
)
def test_no_word_of_a_user_gets_into_a_shape(db_type: str, sql: str) -> None:
    found = facts(sql, db_type, SchemaNames(db_type, SHOP.tables))
    assert found.parses
    assert "hush" not in found.shape


@pytest.mark.parametrize("db_type", ["mysql", "", "oracle"])
@pytest.mark.parametrize(
    "hint",
    [
        "/*+ hush */",
        "/*+ don't hush */",
        "/*+ hush(`a` 'b') (*/",
        "/*!/*+ hush */*/",
        "/*+ ' // */",
    ],
)
def test_texts_that_differ_in_the_hint_to_the_optimizer_are_one_text(
    db_type: str, hint: str
) -> None:
    names = SchemaNames("mysql", SHOP.tables)
    plain = "select title from film where title = '/*+ none'"
    hinted = plain.replace("select", f"select {hint}")
    assert key(hinted, db_type) == key(plain, db_type)
    assert facts(hinted, db_type, names) == facts(plain, db_type, names)
    assert facts(hinted, db_type, names).verdict == "valid"


@pytest.mark.parametrize(
    ("db_type", "sql"),
    [
        ("mysql", "select /*+ hush ' */ 1; delete from film -- ' */ 1 from film"),
        ("mysql", "select /*+ hush ' */ \"' */ title from film into outfile 'a' -- \""),
        ("mysql", "select /*+ hush /* */ ' */ ; delete from film -- '"),
        ("", "select /*+ hush ' */ 1; delete from film -- ' */ 1 from film"),
        ("", "select 1 /*+ hush /* */ ' */ ; delete from film -- '"),
    ],
)
def test_a_hint_whose_end_is_not_known_hides_no_write_and_shows_no_word(
    db_type: str, sql: str
) -> None:
    found = facts(sql, db_type)
    assert not found.reads_only
    assert "hush" not in found.shape


@pytest.mark.parametrize(
    "sql",
    [
        'select title from film where title = "Secret"',
        'select title from film where title = "Nguyen.Secret"',
        'select f.title from film f where f.title in (f."Secret", f."Mr.Secret")',
        'select title from "Secret".film, "Secret" where title = "Secret"',
        'select 1 from film join rental using ("Secret")',
        f'select 1 from "{"Secret" * 20}"',
        'update film set "Secret" = 1',
    ],
)
@pytest.mark.parametrize("db_type", ["postgresql", "sqlite", "", "oracle"])
@pytest.mark.parametrize("is_read", [True, False])
def test_what_stands_in_double_quotes_and_is_no_name_of_the_source_is_not_told(
    sql: str, db_type: str, is_read: bool
) -> None:
    found = facts(sql, db_type, SchemaNames(db_type, SHOP.tables) if is_read else None)
    assert found.parses
    assert "secret" not in str(found).lower()


@pytest.mark.parametrize("db_type", ["postgresql", "mysql", "sqlite", "", "oracle"])
@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize(
    "sql",
    [
        "select title from 'secret'",
        "select * from film, 'Secret'",
        "select 1 from 'mr'.'secret'",
        "select * from film join rental using ('secret')",
        "select `size`, title from 'secret' where title = 'secret'",
        'select title from "secret"',
        'update "secret" set title = 1',
        "insert into 'secret' values (1)",
        "select title from film where title = $$secret$$",
        "select title from film where title = $$secret@x.secret$$",
        "select title from film where title in ($n$a, secret$n$, $n$secret, b$n$, $1)",
        "select title from $$secret, secret$$",
    ],
)
def test_a_string_is_not_told_wherever_it_stands(sql: str, db_type: str, is_read: bool) -> None:
    names = SchemaNames(db_type, SHOP.tables) if is_read else None
    assert "secret" not in str(facts(sql, db_type, names)).lower()


def test_a_string_for_a_table_hides_no_name_between_backticks() -> None:
    names = SchemaNames("mysql", SHOP.tables)
    found = facts("select f.`size` from 'secret' join film f", "mysql", names)
    assert (found.unknown_columns, found.unknown_tables) == (("size",), ("…",))


def test_a_parameter_is_shown() -> None:
    shape = facts("select title from film where film_id = $id and title = $1", "sqlite").shape
    assert shape == "select title from film where film_id = $id and title = $1"


def test_what_a_model_makes_up_is_told_as_it_writes_it() -> None:
    made_up = "select f.rating, length from film f where `size` > 1"
    names = SchemaNames("mysql", SHOP.tables)
    assert facts(made_up, "mysql", names).unknown_columns == ("length", "rating", "size")
    quoted = 'select "title", "rental"."title", rating from film, rental where title > "x"'
    assert facts(quoted, names=NAMES).unknown_columns == ("rating", "title", "…")


def test_a_slice_of_an_array_is_shown_in_one_piece() -> None:
    shape = facts("select tags[1 : 2], tags[:2], tags[(3):][1], :id from film").shape
    assert shape == "select tags[?:?], tags[:?], tags[(?):][?], :id from film"


def test_many_quoted_names_are_told_in_time() -> None:
    begun = time.thread_time()
    names = ", ".join(f'rental."value {number}"' for number in range(4_000))
    assert facts(f"select {names} from rental", names=NAMES).unknown_columns == ("…",)
    assert time.thread_time() - begun < 4


def test_quoted_names_of_the_source_are_shown() -> None:
    names = SchemaNames(
        "postgresql",
        [Table(schema="public", name="Film", kind="table", columns=(Column("Title", "text"),))],
    )
    found = facts('select "Title", "Other" from "Film"', names=names)
    assert found.shape == 'select "Title", "…" from "Film"'


class Grammar:
    """A server's grammar that refuses some texts; keeps what it was asked."""

    def __init__(self, *refuses: str) -> None:
        self.asked: list[str] = []
        self._refuses = refuses

    def __call__(self, texts: Sequence[str], _server_version: str) -> set[int]:
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


def test_names_of_many_versions_are_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "_MOST_COLUMNS", 3 * NAMES.columns)
    before = _names_in_memory()
    loaded: list[tuple[str, int]] = []
    book = SqlBook(snapshots(loaded), {"1": "postgresql"}, Grammar())
    for day in range(5):
        versions = range(1 + 4 * day, 5 + 4 * day)
        book.enter(
            kinds(
                *(("1", version, "select title from film") for version in versions),
                *(("1", version, "select nothing from film") for version in versions),
            )
        )
    assert loaded == [("1", version) for version in range(1, 21)], "each is read once"
    assert _names_in_memory() - before <= 3
    verdicts = [one.verdict for one in book.facts]
    assert (verdicts.count("valid"), verdicts.count("unknown_column")) == (20, 20)


def test_names_of_a_large_schema_stay_while_those_of_small_ones_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(book_module, "_MOST_COLUMNS", 2 * NAMES.columns)
    loaded: list[tuple[str, int]] = []
    book = SqlBook(snapshots(loaded), {"1": "postgresql"}, Grammar())
    for version in (1, 2, 3):
        book.enter(kinds(("1", version, f"select title as n{version} from film")))
        book.enter(kinds(("1", max(1, version - 1), f"select 1 as n{version} from film")))
    assert loaded == [("1", 1), ("1", 2), ("1", 3)], "the one before is still there"


def _names_in_memory() -> int:
    gc.collect()
    return sum(isinstance(one, SchemaNames) for one in gc.get_objects())


def test_facts_of_days_gone_by_are_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "_MOST_FACTS", 3)
    book = SqlBook(snapshots([]), {"1": "postgresql"}, Grammar())
    for day in range(9):
        texts = (f"select film_id as n{day} from film", f"select nothing as n{day} from film")
        entries = book.enter(kinds(*(("1", 1, text) for text in texts))).sort("sql")["entry"]
        assert sorted(book.facts[entry].verdict for entry in entries) == [
            "unknown_column",
            "valid",
        ]
        assert len(book.facts) <= 3 + len(texts)


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


def test_what_sqlite_would_not_take_does_not_parse() -> None:
    refused = "select title from film where title ilike 'x'"
    book = SqlBook(snapshots([]), {"1": "sqlite", "2": "mysql"}, Grammar())
    entered = book.enter(
        kinds(("1", 0, refused), ("1", 0, "select title from film limit 1, 2"), ("2", 0, refused))
    )
    told = {row[:3]: book.facts[row[3]].verdict for row in entered.iter_rows()}
    assert list(told.values()).count("syntax") == 1
    assert told["1", 0, refused] == "syntax"


def test_no_older_grammar_refuses_what_is_asked_of_a_newer_source(metadata_dsn: str) -> None:
    new = msgspec.structs.replace(SHOP, server_version="99.1")
    sql = "select title from film limit 1, 2"
    with PostgresGrammar(metadata_dsn) as grammar:
        book = SqlBook(
            lambda owner, _: new if owner == "new" else SHOP,
            dict.fromkeys(("new", "old"), "postgresql"),
            grammar.refused,
        )
        entered = book.enter(kinds(("new", 1, sql), ("old", 1, sql), ("new", 0, sql)))
    found = entered.select("connection_id", "schema_version", "entry").rows()
    assert {row[:2]: book.facts[row[2]].parses for row in found} == {
        ("new", 1): True,
        ("old", 1): False,
        # Of what release its server is was not known then.
        ("new", 0): False,
    }


@pytest.mark.parametrize(
    "sql",
    [
        "select title %> 'secret' from film",
        "select title as select from film",
        "select substring(title similar 'secret' escape '#') from film",
        "select xmlserialize(content title as text) from film",
        "select collation for (title) from film",
        "select title from film order by title using >",
        "select film_id from film where title <<| 'secret'",
        "select \"char\" 'secret'",
        "with gone as (delete from film returning \"char\" 'secret') select * from gone",
    ],
)
def test_what_the_server_alone_can_parse_is_sql_of_which_nothing_more_is_told(
    metadata_dsn: str, sql: str
) -> None:
    assert parsed(sql, "postgresql") is None
    with PostgresGrammar(metadata_dsn) as grammar:
        book = SqlBook(snapshots([]), {"1": "postgresql"}, grammar.refused)
        book.enter(kinds(("1", 1, sql)))
    assert book.facts == [SqlFacts("unchecked", reads_only=False, shape="", tables=())]
    assert book.facts[0].parses


def test_what_neither_takes_is_no_sql_whatever_the_release_of_the_source(
    metadata_dsn: str,
) -> None:
    new = msgspec.structs.replace(SHOP, server_version="99.1")
    with PostgresGrammar(metadata_dsn) as grammar:
        book = SqlBook(lambda *_: new, {"1": "postgresql"}, grammar.refused)
        book.enter(kinds(("1", 1, "select title FORM film where x = 1"), ("1", 1, "select (")))
    assert [one.verdict for one in book.facts] == ["syntax", "syntax"]


def test_prose_is_sent_to_no_server() -> None:
    grammar = Grammar()
    book = SqlBook(snapshots([]), {"1": "postgresql"}, grammar)
    prose = ("I cannot answer that from this schema.", "N/A", "-- no SQL possible", "Sorry, Nam!")
    book.enter(kinds(*(("1", 1, text) for text in prose)))
    assert {one.verdict for one in book.facts} == {"syntax"}
    assert grammar.asked == []


def test_no_sql_at_all_is_entered_too() -> None:
    book = SqlBook(snapshots([]), {}, Grammar())
    assert book.enter(kinds(("1", 0, None)))["entry"].to_list() == [None]
    assert book.enter(kinds()).is_empty()
