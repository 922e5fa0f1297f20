"""What is said of SQL: as PostgreSQL says it itself, and by cases of the other dialects."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import psycopg2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twd_shared.schema_model.models import Table
from twd_shared.sql.names import SchemaNames
from twd_shared.sql.parsing import parsed
from twd_shared.sql.references import References, references, references_in, references_of

from .sample_names import Cursor, table

LABELS = {
    "42P01": "unknown_table",
    "3F000": "unknown_table",
    "42703": "unknown_column",
    "42702": "ambiguous_column",
    "42601": "syntax",
}

PAGILA = [
    # Names that are there.
    "select title from film",
    "select f.title, l.name from film f join language l using (language_id)",
    "select user, current_user, current_date, localtime, current_role, current_catalog",
    "select ctid, f.xmin, f.tableoid from film f",
    "select f from film f where f is not null",
    "select (f).title, f.count, row(f.*) from film f group by f.film_id, f.*",
    "select extract(epoch from rental_date), rental_date at time zone 'UTC' from rental",
    "select substring(title from 1 for 2), position('a' in title), trim(both 'x' from title),"
    " overlay(title placing 'x' from 1), normalize(title, NFC) from film",
    "select rating::public.mpaa_rating, date '2020-01-01', interval '1' year, title collate \"C\""
    " from film",
    "select pg_catalog.lower(title) from public.film where public.film.title is not null",
    "select g, s.n from generate_series(1, 2) g, unnest(array['a']) as s(n)",
    "select generate_series.generate_series from generate_series(1, 2)",
    "select day::date from generate_series(now(), '2030-01-01', '1 day') as day",
    "select Generate_Series(now(), now(), '01:00'), generate_series(now(), now(), 'P1D')",
    "select d from generate_series(now(), now(), interval '01:00') d",
    "select d from pg_catalog.generate_series(now(), now(), '1 day', 'Europe/Berlin') d",
    "select n from generate_series(1, 9, (select generate_series(1, 1, abs(length)) from film)) n",
    "select x.a from json_to_recordset('[]') as x(a int, b text) where b = 'z'",
    'select "?column?", q."?column?" + 1 from (select -length, title from film) q',
    'select length + 1, title from film order by "?column?"',
    'select q.title from (select title collate "C" from film) q',
    "select title t from film order by t",
    "select title t, count(*) from film group by t",
    "select date_trunc('day', rental_date) d, count(*) from rental group by rollup (d) order by d",
    "select upper(rating::text) r, length l, count(*) from film group by cube (r, (l, r))",
    "select upper(rating::text) r, count(*) from film group by grouping sets ((r), ())",
    "select upper(rating::text) r, length l from film group by (r, l), (r) order by (r)",
    "select describe, x.describe from (select title as describe from film) x",
    "select distinct on ((r)) upper(rating::text) r from film order by r",
    "select upper(rating::text) r from film group by rollup (lower(r))",
    "select count, max from (select count(*), max(length) from film) x",
    "with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select n from t",
    "with recursive a as (select n from b), b as (select 1 as n) select n from a",
    "with recursive t(n) as (select 1 union all select n + 1 from t)"
    " search depth first by n set place select n, place from t",
    "with recursive t(n) as (select 1 union all select n + 1 from t)"
    " cycle n set is_again using path select n, is_again, path from t",
    "select x.a, x.rating from film as x(a)",
    "select title from film f where exists (select 1 from inventory i where i.film_id = f.film_id)",
    "select c.first_name, p.amount from customer c cross join lateral"
    " (select amount from payment where customer_id = c.customer_id limit 1) p",
    "select sum(length) over w, rank() over (order by title) from film window w as (order by 1)",
    "select film_id from film natural join film_actor",
    "select film_id from film join inventory using (film_id) join film_actor using (film_id)",
    "select film_id, f.film_id from film f join film_actor using (film_id) order by film_id",
    "select title from film union select name from category order by title",
    "(select title from film) order by length",
    "select relname, pg_class.relkind from pg_class",
    "select mode() within group (order by rating), count(*) filter (where length > 1) from film",
    "select case rating when 'PG' then 1 end as kind from film order by kind",
    "select title is not distinct from description, title is normalized from film",
    "values (1, 2)",
    "select film.title, x.n from film, (values (1), (2)) as x(n)",
    "select (select max(amount) from payment where customer_id = c.customer_id) from customer c",
    "select j.name from (category join film_category using (category_id)) j",
    "select film_id, film_id from film order by film_id",
    "select @ length, @f.rental_rate from film f order by @ film_id",
    "select @ -5, @(length - 100), 1 - @ -length from film where @ - film_id > 3",
    "select j.film_id, f.title, film_id from film f join inventory i using (film_id) as j"
    " where j.film_id = 1",
    'select "J".film_id from film join film_actor using (film_id) as "J" order by "J".film_id',
    "select * from film join film_actor a using (film_id) as j join actor using (actor_id) as k"
    " where j.film_id = k.actor_id",
    "select j from film join film_actor using (film_id) as j",
    "insert into category (category_id, name) overriding system value values (1, 'x')",
    "insert into category overriding user value select * from category",
    "select json_query(to_jsonb(title), '$' with wrapper) from film",
    "select json_query(to_jsonb(title), '$' without array wrapper keep quotes) from film",
    "select json_query(to_jsonb(title), '$' with conditional array wrapper) from film",
    "with wrapper as (select 1 as a) select a from wrapper",
    "with keep as (select 1 as keep) select keep quotes from keep",
    "select date_trunc('day', rental_date), count(*) from rental group by date_trunc"
    " order by date_trunc",
    "select to_char(rental_date, 'YYYY'), count(*) from rental group by 1 order by to_char desc",
    "select row_number() over (order by title) from film order by row_number",
    "select distinct on (char_length) char_length(title) from film order by char_length",
    "select mod(length, 10), count(*) from film group by mod",
    "select x.length, x.ceil from (select length(title), char_length(title), ceil(rental_rate),"
    " ceiling(rental_rate) from film) x",
    "select x.* from film f cross join lateral (select f.title, f.length) x order by x.length",
    "update film set title = default, length = 1 where film_id = 1 returning title",
    "insert into category (name) values ('x') on conflict (category_id) do update"
    " set name = excluded.name",
    "insert into category (name) values ('x') on conflict (category_id) do update"
    " set name = 'y' returning category_id, name",
    "insert into category as c (name) values ('x') on conflict do nothing returning c.name, name",
    "delete from film_actor using actor where actor.actor_id = film_actor.actor_id",
    "select title from film for update of film",
    # Tables that are not there.
    "select 1 from films",
    "select 1 from archive.film",
    "select fullname from custumer",
    "select f.title from film where f.length > 1",
    "select film.title from film f",
    "select x.* from film f",
    "select count(x.*) from film f",
    "select * from film f, (select f.title) x",
    "select * from film f, inventory i join film_actor a on a.film_id = f.film_id",
    "select title from film order by f.length",
    "select title from film union select name from category order by film.title",
    "select public.actor.first_name from film",
    "delete from film using actor where a.actor_id = 1",
    "with a as (select 1) select * from b",
    "select b.n from (with b as (select 1 as n) select n from b) a, b",
    "select nothing from film where length in (select x from nowhere)",
    "select nowhere.x, nothing from film",
    # Columns that are not there.
    "select full_name from customer",
    "select f.full_name from film f",
    'select "Title" from film',
    'select title from film where rating = "PG"',
    "select title t from film where t = 'x'",
    "select title t from film group by title having t = 'x'",
    "select title t from film order by lower(t)",
    "select title t from film group by lower(t)",
    "select date_trunc('day', rental_date) from rental order by lower(date_trunc)",
    "select date_trunc('day', rental_date) from rental where date_trunc is null",
    "select length + 1 from film order by nothing",
    'select "?column?" from (select length, upper(title) from film) q',
    "select d from generate_series(now(), now(), nothing) d",
    "select title from film where film_id = @id",
    "select @f.nothing from film f",
    "select j.title from film join inventory using (film_id) as j",
    "select k.film_id from film join inventory using (film_id) as j",
    "select json_query(nothing, '$' with wrapper) from film",
    "select length with wrapper from film",
    "select * from film join inventory using (film_id) as 'j'",
    "select * from film join inventory using (film_id) as 1",
    "select abs(@) from film",
    "select film_id overriding system value from film",
    "select customer.years from customer",
    "select x.b from (select title a from film) x",
    "with x as (select title from film) select length from x",
    "with x(a) as (select title from film) select title from x",
    "select x.title from film as x(a, b, c)",
    "select title from film union select name from category order by name",
    "select name from film join category using (name)",
    "select title from film f where exists (select 1 from actor where length_ = f.length)",
    "select ctid from film join language using (language_id)",
    "select ctid from (select title from film) x",
    "select substr from (select lower(title) from film) x where nothing = 1",
    "select sum(length) over (order by nothing) from film",
    "select count(*) filter (where nothing > 1) from film",
    "update film set nothing = 1",
    "insert into film (title, nothing) values ('x', 1)",
    "insert into category (name) values ('x') on conflict (category_id) do update"
    " set name = excluded.nothing",
    "insert into category (name) values ('x') on conflict (category_id) do update"
    " set name = 'y' returning excluded.name",
    "insert into category (name) values ('x') on conflict (category_id) do update"
    " set name = name || 'y'",
    "select nothing, nowhere.x from film",
    "select title from film where a = 1 and b.c = 2",
    "select title from film where b = 1 order by c.d",
    "select title from film limit nothing",
    "select distinct on (nothing) title from film",
    "select x from film where length in (select film_id from nowhere where y = 1)",
    # Columns that could be several.
    "select film_id from film, film_actor",
    "select film_id from film f join film_actor a on a.film_id = f.film_id",
    "select title from film f join inventory i using (film_id) where last_update is null",
    "select film_id from film join film_actor using (film_id) join inventory on true",
    "select x.a from (select title as a, length as a from film) x",
    "select f.film_id, a.film_id from film f, film_actor a order by film_id",
    "select f.film_id, a.film_id from film f, film_actor a where f.length > 1 group by film_id",
    "select * from film f join film_actor a using (film_id) join inventory i using (last_update)",
    "select *, description as title from film order by title",
    "select title, length from film union select name, 1 from category order by last_update",
    'select "?column?" from (select 1, length > 1 from film) q',
    'select length + 1, length + 2 from film order by "?column?"',
    "select title as n, description as n from film union select 'a', 'b' order by n",
    # What is no SQL, also for the parser of this library.
    "select title film from where",
    "select (title from film",
    "select title from film where rating = 'PG",
    "hello world",
    "select title from film union select title, length from film",
]


@pytest.fixture(scope="module")
def names(pagila_tables: list[Table]) -> SchemaNames:
    """The names of the sample database."""
    return SchemaNames("postgresql", pagila_tables)


FILM = [
    table("film", "film_id", "title", "rating"),
    table("film_actor", "film_id", "actor_id"),
    table("orders", "id", schema="shop"),
    table("orders", "id", schema="archive"),
]
NAMES = {kind: SchemaNames(kind, FILM) for kind in ("postgresql", "mysql", "sqlite")}


def of(sql: str, dialect: str = "postgresql") -> References:
    return references_in(sql, NAMES[dialect])


@pytest.mark.parametrize("sql", PAGILA)
def test_a_verdict_is_postgresqls(pagila: Cursor, names: SchemaNames, sql: str) -> None:
    pagila.execute("savepoint before")
    try:
        pagila.execute(f"explain {sql}")
        expected = "valid"
    except psycopg2.Error as error:
        expected = LABELS[error.pgcode or ""]
    finally:
        pagila.execute("rollback to savepoint before")
    assert references_in(sql, names).verdict == expected


def test_names_are_given_as_they_are_written() -> None:
    found = of('select f.Full_Name, "No", x.title from film f, film_actor a where film_id = 1')
    assert found.unknown_columns == {"f.Full_Name", "No"}
    assert found.unknown_aliases == {"x"}
    assert found.ambiguous == {"film_id"}
    assert found.verdict == "unknown_column"


def test_what_does_not_parse_is_syntax() -> None:
    assert of("select from from").verdict == "syntax"
    assert of("").verdict == "syntax"
    assert of("; -- nothing").verdict == "syntax"
    assert of("Here is what you asked for").verdict == "syntax"


def test_a_kind_of_statement_that_is_not_walked_is_not_said_to_be_wrong() -> None:
    found = of("explain select nothing from film")
    assert (found.parses, found.verdict) == (False, "valid")


def test_a_name_that_several_schemas_have_is_not_said_to_be_unknown() -> None:
    found = of("select id, nothing from orders")
    assert (found.unknown, found.verdict) == ({"orders"}, "valid")


def test_the_first_of_several_statements_that_is_wrong_decides() -> None:
    assert of("select title from film; select x from film; select 1 from y").verdict == (
        "unknown_column"
    )


def test_statements_parsed_before_give_what_their_text_gives() -> None:
    sql = "select title, nothing from film"
    assert references_of(parsed(sql, "postgresql"), NAMES["postgresql"]) == of(sql)
    assert references_of(None, NAMES["postgresql"]).verdict == "syntax"
    assert references_of([], NAMES["postgresql"]).verdict == "syntax"


@pytest.mark.parametrize(
    ("sql", "verdict"),
    [
        ("select `Title`, FILM.rating from film use index (a) limit 1, 2", "valid"),
        ('select "a", utc_date, curdate(), @x, @@session.y from dual', "valid"),
        ("select GET_FORMAT(date, 'EUR'), get_format(DATETIME, 'ISO') from film", "valid"),
        ("select get_format(`date`, 'EUR') from film", "unknown_column"),
        ("select nextval(numbers), setval(numbers, 5), lastval(numbers) from film", "valid"),
        ("select setval(numbers, nothing) from film", "unknown_column"),
        ("select lower(date) from film", "unknown_column"),
        ("select title t from film group by t having t = 'x' order by t", "valid"),
        ("select title t from film where t = 'x'", "unknown_column"),
        ("select f.title from film where g.rating = 1", "unknown_column"),
        (
            "select timestampdiff(minute, title, rating), convert(title using utf8mb4) from film",
            "valid",
        ),
        ("select match (title) against ('x' in boolean mode) from film", "valid"),
        ("select group_concat(title order by rating separator ',') from film", "valid"),
        ("select film_id from film, film_actor", "ambiguous_column"),
        ("select a.film_id from film a join film_actor b order by film_id", "valid"),
        (
            "insert into film (title) values ('x') on duplicate key update title = values(title)",
            "valid",
        ),
        (
            "insert into film (film_id) values (1) on duplicate key update film_id = film_id + 1",
            "valid",
        ),
        (
            "insert into film (film_id, rating) values (1, 2) as N on duplicate key"
            " update rating = rating + n.rating, title = n.film_id",
            "valid",
        ),
        ("insert into film set rating = 1 as n on duplicate key update title = n.rating", "valid"),
        (
            "insert into film (film_id, rating) values (1, 2) as n(a, b) on duplicate key"
            " update rating = b + n.a + rating",
            "valid",
        ),
        (
            "insert into film (film_id) values (1) as n on duplicate key update title = n.nothing",
            "unknown_column",
        ),
        (
            "insert into film (film_id) values (1) on duplicate key update title = excluded.title",
            "unknown_column",
        ),
        ("update film a join film_actor b using (film_id) set title = 1, actor_id = 2", "valid"),
        ("update film set nothing = default", "unknown_column"),
        ("select nothing from film", "unknown_column"),
        ("select 1 from films", "unknown_table"),
        ("select count(*) from x.film", "unknown_table"),
        ("select title /*! , nothing */ from film", "unknown_column"),
        ("select title /* , nothing */ from film", "valid"),
        ("select a.title from film a, film_actor b join film c on c.film_id = a.film_id", "valid"),
    ],
)
def test_mysql_has_rules_of_its_own(sql: str, verdict: str) -> None:
    assert of(sql, "mysql").verdict == verdict


@pytest.mark.parametrize(
    ("sql", "verdict"),
    [
        ("select rowid, film._rowid_ from film", "valid"),
        ('select "no column", title from film where rating = "PG"', "valid"),
        ("select nothing from film", "unknown_column"),
        ("select x.title from film", "unknown_column"),
        ("select title t from film where t = 'x'", "valid"),
        ("select title t, upper(t) from film", "unknown_column"),
        ("select name from sqlite_master where type = 'table'", "valid"),
        ("select value from json_each('[]')", "valid"),
        ("select film_id from film join film_actor", "ambiguous_column"),
        ("select film_id from film join film_actor using (film_id)", "valid"),
        ("select count(*) c from film group by rating having c > 1 order by c", "valid"),
        ("select title t, count(*) from film group by lower(t)", "valid"),
        ("select describe from (select title as describe from film)", "valid"),
        ('select "count(*)" from (select count(*) from film)', "valid"),
        ("with t(x) as (values (1), (2)) select x, y from t", "unknown_column"),
        ("select 1 from films", "unknown_table"),
        (
            "insert into film (film_id) values (1) on conflict (film_id) do update"
            " set rating = rating + excluded.rating",
            "valid",
        ),
        (
            "insert into film (film_id) values (1) on conflict (film_id) do update"
            " set rating = excluded.nothing",
            "unknown_column",
        ),
        ("insert or replace into film (film_id, nothing) values (1, 2)", "unknown_column"),
        ("select title from film where film match 'x' order by rank", "valid"),
        ("select title from film union all select rating from film order by rating", "valid"),
        (
            "select title from film union all select rating from film order by film_id",
            "unknown_column",
        ),
    ],
)
def test_sqlite_has_rules_of_its_own(sql: str, verdict: str) -> None:
    assert of(sql, "sqlite").verdict == verdict


@given(
    st.text(
        alphabet=st.sampled_from("selctfromwh ijn*.,()'\"`;-/!$:=<>[]{}\\\0\n1ßé😀\ud800")
        | st.characters()
    ),
    st.sampled_from(sorted(NAMES)),
)
@settings(max_examples=300)
def test_no_text_raises(text: str, dialect: str) -> None:
    assert of(text, dialect).verdict in {*LABELS.values(), "valid"}


@given(st.lists(st.sampled_from(" ".join(PAGILA).split()), max_size=30).map(" ".join))
@settings(max_examples=300)
def test_no_heap_of_words_raises(text: str) -> None:
    for dialect in NAMES:
        assert of(text, dialect).verdict in {*LABELS.values(), "valid"}


@pytest.mark.parametrize("words", ["from", "from explain", "explain from", "select join", ", from"])
@pytest.mark.parametrize("dialect", sorted(NAMES))
def test_words_over_and_over_do_not_end_the_process(words: str, dialect: str) -> None:
    # What a model writes that is stuck; without a limit the parser overflows the stack.
    assert of(f"select {f'{words} ' * 7_000}t"[:95_000], dialect).problem == "syntax"


def calls_of(work: Callable[[], object]) -> int:
    """How many calls of functions the work makes: as many on a slow machine as on a fast one."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def test_a_wide_schema_costs_no_more() -> None:
    tables = [table(f"t{n}", *(f"c{i}" for i in range(50))) for n in range(500)]
    text = "select " + ", ".join(f"t{n}.c{n % 50}" for n in range(40))
    text += " from " + ", ".join(f"t{n}" for n in range(40))

    def calls_with(count: int) -> int:
        names = SchemaNames("postgresql", tables[:count])
        return calls_of(lambda: references_in(text, names))

    assert references_in(text, SchemaNames("postgresql", tables)).verdict == "valid"
    assert calls_with(500) <= 1.05 * calls_with(40)


def test_the_tables_may_be_given_as_they_are() -> None:
    assert references("select nothing from film", "postgresql", FILM).verdict == "unknown_column"
