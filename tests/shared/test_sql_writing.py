"""What only reads, and what must not pass for it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twd_shared.sql.parsing import parsed
from twd_shared.sql.writing import only_reads

READING = {
    "postgresql": [
        "select 1",
        "with x as (select 1) select * from x",
        "(select 1) union select 2 order by 1",
        "values (1)",
        "table x",
        "select 1; select 2; -- done",
        "show all",
        "explain select 1",
        "explain delete from x",
        "explain analyze select 1",
        "explain (analyze, buffers) select 1",
        "select pg_sleep(1), currval('x')",
        "select 'delete from x' /* drop table y */ -- drop\n",
        'select "delete" from "drop" where updated > \'x;drop table y\'',
        "select $$; drop table x $$, e'\\'; drop table x --'",
    ],
    "mysql": [
        "select 1",
        "show tables",
        "describe x",
        "explain delete from x",
        "select sleep(1)",
        "select 1 /*! straight_join */",
        "select '/*! drop table x */', \"/*! drop table x */\", `/*! drop table x */` from t",
        "select 1 /* drop table x */ # drop\n",
    ],
    "sqlite": [
        "select 1",
        "pragma table_info(x)",
        "pragma main.index_list('x')",
        "pragma user_version",
        "explain query plan select 1",
    ],
}
WRITING = {
    "postgresql": [
        "insert into x values (1)",
        "update x set a = 1",
        "delete from x",
        "merge into x using y on true when matched then delete",
        "truncate x",
        "create table x as select 1",
        "create function f() returns int language sql as 'select 1'",
        "alter table x add y int",
        "drop table x",
        "grant select on x to y",
        "comment on table x is 'y'",
        "select 1 for update",
        "select * from (select 1 from x for share) y",
        "select * into y from x",
        "with x as (delete from y returning *) select * from x",
        "with a as (with b as (update y set z = 1 returning *) select * from b) select * from a",
        "copy x from stdin",
        "copy x to program 'true'",
        "copy (delete from x returning *) to stdout",
        "call f()",
        "do $$ begin end $$",
        "execute x",
        "prepare x as delete from y",
        "set x = 1",
        "begin",
        "lock table x",
        "vacuum",
        "analyze x",
        "reindex table x",
        "refresh materialized view x",
        "explain analyze delete from x",
        "explain analyse verbose delete from x",
        "explain (analyze) with y as (delete from x returning *) select 1",
        "explain (analyze true, verbose) update x set a = 1",
        "explain /* */ analyze delete from x",
        "explain analyze select setval('x', 1)",
        "explain explain analyze delete from x",
        "select nextval('x')",
        "select a from x where b = setval('x', 1)",
        "select PG_CATALOG.SetVal('x', 1)",
        'select "setval"(\'x\', 1), "pg_catalog"."setval"(\'x\', 1)',
        "select U&\"\\0073etval\"('x', 1)",
        "select setval/* */('x', 1)",
        "select * from pg_terminate_backend(1)",
        "select pg_cancel_backend(1)",
        "select lo_import('x'), lo_export(1, 'x'), lo_unlink(1)",
        "select * from dblink('a', 'b') as t(x int)",
        "select dblink_exec('drop table x')",
        "select pg_read_file('x')",
        "select pg_advisory_lock(1)",
        "select pg_try_advisory_xact_lock(1)",
        "select set_config('a', 'b', false)",
        "select query_to_xml('delete from x', true, true, '')",
        "select 1; drop table x",
        "select 1 /* */; drop table x",
        "select 1 /* /* */ */; drop table x",
        "select 1 --\n; drop table x",
        "select foo$a$; drop table x; --$a$",
        "select 'a\\'; drop table x; --'",
        "hello world",
        "",
    ],
    "mysql": [
        "replace into x values (1)",
        "insert into x values (1)",
        "load data infile 'x' into table y",
        "select 1 into outfile 'x'",
        "select a from t into dumpfile 'x'",
        "select 1 into @x",
        "select load_file('x')",
        "select get_lock('a', 1)",
        "select nextval(numbers)",
        "select setval(numbers, 5)",
        "explain analyze delete from x",
        "select 1 for share",
        "lock tables x write",
        "rename table a to b",
        "select 1 /*! ; drop table x */",
        "select 1 /*!50001 into outfile 'x' */",
        "/*!50001 drop table x */",
        "select 1 /*M! ; drop table x */",
        "select `a/*` /*! ; drop table x */",
        "select '\\'/*' /*! ; drop table x */",
        "select 1 -- /*\n /*! ; drop table x */",
        "select 1 /*! /* a */ ; drop table x */",
        "select 1 /* /* */; drop table x -- */ */",
        "select 1 --1\n; drop table x",
        "select 1 # x\n; drop table x",
    ],
    "sqlite": [
        "replace into x values (1)",
        "pragma user_version = 3",
        "pragma main.user_version = 3",
        "pragma journal_mode(wal)",
        "pragma wal_checkpoint",
        "attach 'x' as y",
        "detach y",
        "vacuum into 'x'",
        "select load_extension('x')",
        "select writefile('a', 'b')",
        "select 1; delete from x",
    ],
}


def cases(of: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(dialect, sql) for dialect, texts in of.items() for sql in texts]


@pytest.mark.parametrize(("dialect", "sql"), cases(READING))
def test_what_only_reads_passes(dialect: str, sql: str) -> None:
    assert only_reads(parsed(sql, dialect), dialect)


@pytest.mark.parametrize(("dialect", "sql"), cases(WRITING))
def test_what_writes_does_not_pass(dialect: str, sql: str) -> None:
    assert not only_reads(parsed(sql, dialect), dialect)


@pytest.mark.parametrize(("dialect", "sql"), cases(WRITING))
def test_what_writes_does_not_pass_behind_what_reads(dialect: str, sql: str) -> None:
    if sql:
        text = f"select 1;\n{sql}"
        assert not only_reads(parsed(text, dialect), dialect)


def test_nothing_does_not_only_read() -> None:
    assert not only_reads([], "postgresql")
    assert not only_reads(None, "postgresql")


def test_a_deep_tree_is_walked() -> None:
    sql = "select " + " + ".join(["a"] * 20_000)
    assert only_reads(parsed(sql, "postgresql"), "postgresql")
    assert not only_reads(parsed(f"{sql} + nextval('x')", "postgresql"), "postgresql")


def test_quotes_without_end_take_no_time() -> None:
    started = time.thread_time()
    for quote in ("'\\", '"\\', "`", "/*", "''"):
        assert not only_reads(parsed("/*!" + quote * 30_000, "mysql"), "mysql")
    assert time.thread_time() - started < 2


@given(st.text(), st.sampled_from(["postgresql", "mysql", "sqlite", "other"]))
@settings(max_examples=200)
def test_no_text_raises(text: str, dialect: str) -> None:
    only_reads(parsed(text, dialect), dialect)
    only_reads(parsed(f"explain analyze {text}", dialect), dialect)
    only_reads(parsed(f"/*! {text}", dialect), dialect)
