"""The cheap signal of a PostgreSQL source: it misses no change, and rests while nothing is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from twd_schema.extraction.postgresql import signal as cheap_signal
from twd_schema.extraction.reading import SchemaReader
from twd_shared.clients.catalog import Connection
from twd_shared.errors import SourceUnavailable
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

from .ddl_catalogue import DDL, SchemaChange

Execute = Callable[..., None]

QUIET = {
    "rows are written": (
        "insert into customers values (1, 'a'), (2, 'b')",
        "update customers set name = 'c' where id = 1",
        "delete from customers where id = 2",
    ),
    "the planner looks again": ("analyze customers", "vacuum customers"),
    "a temporary table comes and goes": (
        "create temporary table t (id serial primary key, kind text default 'x')",
    ),
    "a sequence counts": ("create temporary table u as select nextval('numbers')",),
}


@pytest.fixture
def source(services: Any, execute: Execute) -> str:
    dsn = services.database()
    execute(
        dsn,
        "create table customers (id int primary key, name text)",
        "create sequence numbers",
    )
    return dsn


@pytest.fixture
def signal(reader: SchemaReader, connection_to: Callable[..., Connection], source: str) -> Any:
    """Asks the source for its signal."""
    return lambda: asyncio.run(reader.signal_async(connection_to(source)))


@pytest.mark.parametrize("statements", QUIET.values(), ids=QUIET.keys())
def test_work_on_rows_leaves_it_as_it_is(
    signal: Callable[[], str], source: str, execute: Execute, statements: tuple[str, ...]
) -> None:
    before = signal()
    execute(source, *statements)
    assert signal() == before


@pytest.mark.parametrize(
    "statement",
    [
        "alter type base rename to other",
        "create schema elsewhere; alter type base set schema elsewhere",
    ],
)
def test_a_base_type_that_is_called_otherwise_does_not_escape_it(
    signal: Callable[[], str], source: str, execute: Execute, statement: str
) -> None:
    execute(
        source,
        "create type base",
        "create function base_in(cstring) returns base language internal immutable strict"
        " as 'int4in'",
        "create function base_out(base) returns cstring language internal immutable strict"
        " as 'int4out'",
        "create type base (input = base_in, output = base_out, like = int4)",
        "create table uses (one base)",
    )
    before = signal()
    execute(source, statement)
    assert signal() != before


@pytest.mark.parametrize("change", DDL, ids=lambda change: change.name)
def test_no_kind_of_ddl_escapes_it(
    signal: Callable[[], str], source: str, execute: Execute, change: SchemaChange
) -> None:
    execute(source, change.setup)
    before = signal()
    execute(source, change.statement)
    assert signal() != before


def test_a_change_that_is_undone_is_noticed_both_times(
    signal: Callable[[], str], source: str, execute: Execute
) -> None:
    seen = {signal()}
    for change in ("add extra int", "drop extra", "add extra int", "drop extra"):
        execute(source, f"alter table customers {change}")
        seen.add(signal())
    assert len(seen) == 5


def test_a_table_that_was_dropped_and_made_again_is_noticed(
    signal: Callable[[], str], source: str, execute: Execute
) -> None:
    before = signal()
    execute(
        source,
        "drop table customers",
        "create table customers (id int primary key, name text)",
    )
    assert signal() != before


def test_a_database_whose_numbers_are_text_without_a_cast_has_one(
    signal: Callable[[], str], source: str, execute: Execute
) -> None:
    execute(source, "create cast (bigint as text) with inout as implicit")
    assert signal()


def test_a_source_that_has_no_signal_gives_none() -> None:
    reader = SchemaReader(frozenset({"sqlite"}), ReadLimits(), reach_policy("", "/srv"))
    connection = Connection("7", "shop", "sqlite", True, "sqlite:////srv/shop.db")
    assert asyncio.run(reader.signal_async(connection)) == ""


def test_a_source_that_is_down_says_which_and_where(
    reader: SchemaReader, connection_to: Callable[..., Connection]
) -> None:
    with pytest.raises(SourceUnavailable, match=r"connection 7 \(shop\) at 127.0.0.1:9/shop"):
        asyncio.run(reader.signal_async(connection_to("postgresql://u:canary@127.0.0.1:9/shop")))


async def test_a_source_works_no_longer_on_what_was_cut_off(
    reader: SchemaReader,
    connection_to: Callable[..., Connection],
    source: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cheap_signal, "_SIGNAL", "select pg_sleep(60)::text")
    with pytest.raises(TimeoutError):
        await reader.signal_async(connection_to(source), within=0.5)
    with closing(psycopg2.connect(source)) as beside, beside.cursor() as cursor:
        cursor.execute(
            "select query from pg_stat_activity"
            " where datname = current_database() and application_name = 'twd-schema'"
            " and state = 'active'"
        )
        assert cursor.fetchall() == []
