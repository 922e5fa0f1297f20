"""SQLite's own grammar: what it refuses, and that asking costs nothing and runs nothing."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twd_shared.sql.parsing import LONGEST_SQL
from twd_shared.sql.sqlite_grammar import refused_by_sqlite

TAKEN = [
    "select 1",
    "select missing from nowhere where a = 'b'",
    "with a(x) as (select 1) select x from a",
    "values (1), (2)",
    "select a from t where b = ?1 and c = :x and d = @y and e = $z",
    "select a from t; select b from u;",
    "select a from t -- all of them",
    "select [a], `b`, \"c\" from 'd' limit 5, 10",
    "select a ->> '$.b' from t right join u using (c) where d is not distinct from e",
    "select sum(a) filter (where b) over (partition by c) from t, json_each(t.d)",
    "select extract('year', a) from t",
    # Other statements are not asked of.
    "insert into t (a) values (1) on conflict do nothing returning a",
    "with a as (select 1) delete from t where b in (select * from a)",
    "explain query plan select a from t",
    "pragma hard_heap_limit = 1",
    "create trigger r after insert on t begin delete from a; delete from b; end",
    # Of newer releases than the library may be.
    "select group_concat(a order by b) from t",
    "select 1_000",
    "",
    ";",
    "select '" + "a" * LONGEST_SQL + "' from from",
]
REFUSED = [
    "select extract(year from a) from t",
    "select a from t where b ilike 'x'",
    "select a::int from t",
    "select a from t, lateral (select 1) x",
    "select a from t where b > now() - interval 7 day",
    "select substring(a from 1 for 2) from t",
    "select a from t where b > all(select 1)",
    "select distinct on (a) b from t",
    "select top 5 * from t",
    "(select 1)",
    "show tables",
    "''",
    "select a from t; select a b c from t",
    "select case when a then 1",
]


def test_what_is_no_query_of_sqlites_is_refused() -> None:
    texts = [*TAKEN, *REFUSED]
    refused = refused_by_sqlite(texts)
    assert [texts[place] for place in sorted(refused)] == REFUSED


@pytest.mark.parametrize(
    "sql",
    [
        "with a0 as (select 1 x)"
        + "".join(f", a{n} as (select a.x from a{n - 1} a, a{n - 1} b)" for n in range(1, 50))
        + " select * from a49",
        "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n",
        "select " + "(" * 90_000,
        "select 1 where " + " or ".join(["a = 1"] * 10_000),
        " union ".join(["select 1"] * 6_000),
    ],
)
def test_no_query_takes_long(sql: str) -> None:
    begun = time.thread_time()
    refused_by_sqlite([sql])
    assert time.thread_time() - begun < 2


def test_ten_thousand_texts_are_asked_of_in_time() -> None:
    begun = time.thread_time()
    texts = [f"select a{n} from b join c using (d) where e = 'x' limit {n}" for n in range(10_000)]
    assert refused_by_sqlite(texts) == set()
    assert time.thread_time() - begun < 10


def test_several_threads_may_ask() -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(refused_by_sqlite, [["select 1", "select from from"]] * 20)
        assert all(answer == {1} for answer in answers)


@given(st.text() | st.text(alphabet="selctfromwh ijn*.,()'\"`;-/!$:=<>[]{}\\\0\n1ßé\ud800"))
def test_no_text_raises(text: str) -> None:
    assert refused_by_sqlite([text]) <= {0}
