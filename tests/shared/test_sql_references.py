"""What SQL reads: checked against PostgreSQL's own dependencies, and by cases it cannot tell."""

from __future__ import annotations

import logging
import time

import pytest

from twd_shared.schema_model.models import Table
from twd_shared.sql.references import NOT_WALKED, References, references

from .sample_names import Cursor, table

PAGILA = [
    "select title from film where rating = 'PG'",
    "select f.title, l.name from film f join language l using (language_id)",
    "select f.title, l.name from film f join language l on l.language_id = f.language_id",
    "select first_name || ' ' || last_name as name from actor order by name",
    "select a.last_name from actor a, film_actor fa where fa.actor_id = a.actor_id",
    "select c.name, count(*) from category c left join film_category fc"
    " on fc.category_id = c.category_id group by c.name having count(fc.film_id) > 3",
    "select title from film f where exists (select 1 from inventory i"
    " where i.film_id = f.film_id and store_id = 1)",
    "select title from film where film_id in (select film_id from inventory)",
    "select (select max(amount) from payment p where p.customer_id = c.customer_id) as most"
    " from customer c",
    "with rich as (select customer_id, sum(amount) as total from payment group by customer_id)"
    " select c.email, r.total from rich r join customer c using (customer_id)",
    "with recursive up(n, id) as (select 1, address_id from address where district = 'x'"
    " union all select n + 1, city_id from up join city on city_id = id) select n from up",
    "select s.manager_staff_id, t.first_name from store s join staff t on t.store_id = s.store_id",
    "select a.title, b.length from film a join film b on a.film_id = b.original_language_id",
    "select x.title from (select title, length from film) x where x.length > 100",
    "select x.t from (select title t from film union select first_name from actor) x",
    "select title from film union all select name from category order by title",
    "select distinct on (rating) title from film order by rating, release_year",
    "select rank() over (partition by rating order by length desc) from film",
    "select sum(length) over w from film window w as (order by title)",
    "select count(*) filter (where active = 1) from customer",
    "select c.first_name, p.amount from customer c cross join lateral"
    " (select amount from payment where customer_id = c.customer_id limit 1) p",
    "select f.title, s.feature from film f, unnest(f.special_features) as s(feature)",
    "select rating as title, count(*) from film group by rating order by title",
    "select rental_rate as rate from film group by rate",
    "select case when rating = 'R' then title else null end as kind from film",
    "select coalesce(a.district, c.city) as place from address a left join city c using (city_id)",
    "select city from city natural join country",
    "select v.n, film_id from film join (values (1, 'x'), (2, 'y')) as v(id, n) on v.id = film_id",
    "select g, film_id from generate_series(1, 3) g, film where film_id = g",
    "select film.title::text from public.film",
    "select public.film.title from public.film",
    'select "title" from "film" as "F" where "F"."length" > 1',
    "SELECT Title FROM FILM WHERE Length > 1",
    "select film.title as a from film where (film_id, length) in (select film_id, store_id"
    " from inventory)",
    "select extract(year from rental_date) as y, count(return_date) as c from rental group by 1",
    "select title from film where length between 1 and (select avg(replacement_cost) from film)",
    "select t.c from (select country as c, country_id from country) t(c, i) where i > 3",
    "select name from (category join film_category using (category_id)) where film_id = 1",
    "select j.name from (category join film_category using (category_id)) j",
    "select title from film intersect select title from film where rating = 'G'",
    "select (f).title as x from film f",
    "select name from category where category_id = any (select category_id from film_category)",
    "select array(select first_name from actor where actor_id = f.film_id) as x from film f",
    "select customer_id from rental where rental_date > now() - interval '3 days'",
    "select title from film where to_tsvector(description) @@ to_tsquery('epic')",
    "select string_agg(title, ', ' order by release_year) as x from film",
    "select x.a from (select title as a, film_id from film) x(a) where x.film_id = 2",
]


FILM = [
    table("film", "film_id", "title", "rating", "features"),
    table("film_actor", "film_id", "actor_id"),
    table("actor", "actor_id", "name"),
    table("orders", "id", "film_id", "mood"),
    table("Odd", "Id", "Big Name"),
    table("film", "film_id", "cut", schema="archive"),
    table("log", "line", schema="audit"),
]


def read(sql: str, dialect: str = "postgresql") -> References:
    return references(sql, dialect, FILM)


def columns_in(found: References) -> set[str]:
    return {f"{name[1]}.{column}" for name, column in found.columns}


def literals_in(found: References) -> set[str]:
    return {f"{column[0][1]}.{column[1]}={text}" for column, text in found.literals}


@pytest.mark.parametrize("sql", PAGILA)
def test_a_query_reads_what_postgresql_notes_of_a_view_of_it(
    pagila: Cursor, pagila_tables: list[Table], sql: str
) -> None:
    pagila.execute("savepoint before")
    try:
        pagila.execute(f"create view public.probe as {sql}")
        pagila.execute(
            "select n.nspname::text, c.relname::text, a.attname::text from pg_depend d"
            " join pg_rewrite r on r.oid = d.objid"
            " join pg_class c on c.oid = d.refobjid join pg_namespace n on n.oid = c.relnamespace"
            " left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid"
            "  and d.refobjsubid > 0"
            " where r.ev_class = 'public.probe'::regclass and d.classid = 'pg_rewrite'::regclass"
            "  and d.refclassid = 'pg_class'::regclass and c.oid <> r.ev_class"
        )
        noted = pagila.fetchall()
    finally:
        pagila.execute("rollback to before")
    found = references(sql, "postgresql", pagila_tables)
    assert found.parses
    assert set(found.tables) == {(schema, name) for schema, name, _ in noted}
    assert set(found.columns) == {((schema, name), c) for schema, name, c in noted if c}


def test_an_unquoted_name_is_lowered_as_far_as_postgresql_lowers_it(pagila: Cursor) -> None:
    pagila.execute("savepoint before")
    try:
        pagila.execute("create table ĐƠNHàng (ĐỊAchỉ text, STRAẞE text)")
        pagila.execute(
            "select array_agg(attname::text order by attnum) from pg_attribute"
            " where attrelid = (select max(oid) from pg_class where relname like '%hàng')"
            " and attnum > 0"
        )
        [columns] = pagila.fetchone()
    finally:
        pagila.execute("rollback to before")
    known = [table("ĐƠnhàng", *columns)]
    found = references("select ĐỊaCHỉ, strAẞe from ĐƠNHàng", "postgresql", known)
    assert columns == ["ĐỊachỉ", "straẞe"]
    assert columns_in(found) == {"ĐƠnhàng.ĐỊachỉ", "ĐƠnhàng.straẞe"}
    assert references("select 1 from ĐƠNHÀNG", "postgresql", known).unknown == {"ĐƠnhÀng"}


@pytest.mark.parametrize(
    "sql",
    [
        "select * from film",
        "select f.* from film f",
        "select count(*) from film",
        "select f from film f",
        "select row_to_json(film) from film",
        "with x as (select * from film) select * from x",
        "truncate film",
        "drop table film",
    ],
)
def test_a_star_or_a_whole_row_reads_the_table_and_no_column(sql: str) -> None:
    found = read(sql)
    assert set(found.tables) == {("public", "film")}
    assert not found.columns


def test_a_column_taken_out_of_a_star_is_read() -> None:
    found = read("with x as (select * from film) select y.title from (select * from x) y")
    assert columns_in(found) == {"film.title"}


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("insert into orders (film_id, mood) values (1, 'sad')", {"film_id", "mood"}),
        ("insert into orders values (1, 2, 'sad')", set[str]()),
        ("update orders set mood = 'sad' where id = 1", {"mood", "id"}),
        ("delete from orders where film_id = 1 returning id", {"film_id", "id"}),
        (
            "insert into orders (id) values (1) on conflict (id)"
            " do update set mood = excluded.mood",
            {"id", "mood"},
        ),
        ("with gone as (delete from orders returning *) select mood from gone", {"mood"}),
    ],
)
def test_a_statement_that_writes_reads_the_columns_that_it_names(
    sql: str, columns: set[str]
) -> None:
    found = read(sql)
    assert set(found.tables) == {("public", "orders")}
    assert columns_in(found) == {f"orders.{name}" for name in columns}


def test_what_an_update_sets_is_of_its_own_table() -> None:
    found = read("update orders o set film_id = f.film_id from film f where f.title = o.mood")
    assert columns_in(found) == {"orders.film_id", "film.film_id", "film.title", "orders.mood"}


def test_merge_reads_both_tables() -> None:
    found = read(
        "merge into orders o using film f on f.film_id = o.film_id when matched then"
        " update set mood = f.rating when not matched then insert (id) values (f.film_id)"
    )
    assert columns_in(found) == {
        "orders.film_id",
        "orders.mood",
        "orders.id",
        "film.film_id",
        "film.rating",
    }


@pytest.mark.parametrize(
    "condition",
    [
        "mood = 'sad'",
        "'sad' <> mood",
        "mood in ('ok', 'sad')",
        "mood = 'sad'::mood",
        "mood::text like 'sad'",
        "mood between 'sad' and 'x'",
        "mood = any ('{ok,sad}')",
        "mood = any (array['sad'])",
        "(id, mood) = (1, 'sad')",
        "(id, mood) in ((1, 'ok'), (2, 'sad'))",
        "case mood when 'sad' then true end",
        "coalesce(mood, 'sad') = 'x'",
        "coalesce(mood, 'ok') = 'sad'",
        "'sad' <> nullif(mood, 'ok')",
        "max(mood) in ('ok', 'sad')",
        "mood is not distinct from 'sad'",
        "exists (select 1 from (select mood as m from orders) z where z.m = 'sad')",
    ],
)
def test_a_string_is_told_with_the_column_that_it_is_compared_with(condition: str) -> None:
    assert "orders.mood=sad" in literals_in(read(f"select id from orders where {condition}"))


def test_a_word_of_the_server_s_own_is_no_column_unless_it_is_quoted_or_qualified() -> None:
    login = [table("login", "id", "user")]
    for sql, columns in (
        ("select id from login where id = user", {"login.id"}),
        ('select "user" from login', {"login.user"}),
        ("select l.user from login l", {"login.user"}),
    ):
        assert columns_in(references(sql, "postgresql", login)) == columns


def test_the_operator_of_the_absolute_value_reads_a_column() -> None:
    assert columns_in(read("select @ id, @o.film_id from orders o")) == {
        "orders.id",
        "orders.film_id",
    }


def test_a_string_that_is_written_is_told_with_its_column() -> None:
    assert literals_in(read("insert into orders (id, mood) values (1, 'sad')")) == {
        "orders.mood=sad"
    }
    assert literals_in(read("update orders set mood = 'sad'")) == {"orders.mood=sad"}


def test_a_string_elsewhere_is_no_value_of_a_column() -> None:
    found = read("select 'sad', mood from orders where film_id = length('sad')")
    assert not found.literals


def test_an_array_s_elements_are_of_its_column() -> None:
    found = read("select 1 from film f, unnest(f.features) s where s = 'Trailers'")
    assert literals_in(found) == {"film.features=Trailers"}


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select 1 from film", {("public", "film")}),
        ("select 1 from archive.film", {("archive", "film")}),
        ("select 1 from log", {("audit", "log")}),
        ('select 1 from "Odd"', {("public", "Odd")}),
        ("select 1 from odd", set[tuple[str, str]]()),
        ("with film as (select 1) select * from film", set[tuple[str, str]]()),
        ("create temp table film as select id from orders; table film", {("public", "orders")}),
        (
            "set search_path = x; select 1 from film; select 1 from actor",
            {("public", "film"), ("public", "actor")},
        ),
    ],
)
def test_a_name_is_found_as_the_server_finds_it(sql: str, tables: set[tuple[str, str]]) -> None:
    assert set(read(sql).tables) == tables


def test_mysql_and_sqlite_find_columns_in_any_case() -> None:
    for dialect in ("mysql", "sqlite"):
        assert columns_in(read("select TITLE from FILM f where F.Rating = 1", dialect)) == {
            "film.title",
            "film.rating",
        }
    assert columns_in(read("select `big NAME` from Odd", "mysql")) == {"Odd.Big Name"}


def test_a_table_that_is_not_there_is_told_and_a_catalog_is_not() -> None:
    assert read("select a from nowhere n, other.place").unknown == {"nowhere", "other.place"}
    assert not read("select relname from pg_class, information_schema.tables").unknown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello world",
        "select from where",
        "explain select 1",
        "\x00\x01",
        "select '",
        "select 1;;; drop",
        "a ? " * 50,
        "select a from film where x = 1" + " or x = 1" * 100_000,
        "select " + "(" * 5_000 + "1" + ")" * 5_000,
        "select 1 from (" * 3_000,
        "from a, " * 10_000,
        "select " + "decimal(" * 40 + "1" + ")" * 40,
        "select 1 from a" + " join b" * 300,
        "select a" + "[1]" * 5_000,
        "select " + "all (x) -> " * 5_000 + "1",
        "with a as (select 1)" + ", a as (select * from a, a)" * 100 + " select * from a",
        "x" * 1_000_000,
    ],
    ids=lambda text: repr(text[:20]),
)
@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "sqlite", "nobody-knows"])
def test_rubbish_does_not_parse_and_says_nothing(
    text: str, dialect: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    start = time.thread_time()
    found = read(text, dialect)
    took = time.thread_time() - start
    assert not found.tables | found.columns | found.literals
    assert (caplog.text, *capfd.readouterr()) == ("", "", "")
    assert took < 5


@pytest.mark.parametrize(
    "text",
    [
        "select title from film where " + "film_id = 1 and " * 5_000 + "true",
        "select title from film" + " union select title from film" * 2_000,
        "select title" + " || title" * 8_000 + " from film",
        "select title from film" + " join actor on actor_id = film_id" * 500,
        "select title from film where " + "(" * 150 + "true" + ")" * 150,
    ],
    ids=lambda text: text[:40],
)
def test_a_long_statement_is_read_as_any_other(text: str) -> None:
    assert "film.title" in columns_in(read(text))


def test_many_names_in_a_statement_of_many_tables_are_read_in_time() -> None:
    start = time.thread_time()
    found = read("select 1 from film" + ", actor" * 590 + " where title" + " || title" * 9_000)
    assert columns_in(found) == {"film.title"}
    assert time.thread_time() - start < 2


def test_a_statement_of_more_tables_than_anybody_writes_is_not_walked() -> None:
    assert read("select title from film" + ", film" * 5_000) is NOT_WALKED
