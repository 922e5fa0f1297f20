"""Sample databases: loaded whole or not at all, and readable only, on a real PostgreSQL."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import errors

from twd_local import postgres, sources

pytestmark = pytest.mark.integration
READER, PASSWORD = "source_reader", "p@ss/w:rd 1%"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("postgres")


@pytest.fixture(scope="module")
def admin_dsn(folder: Path) -> Iterator[str]:
    with postgres.start_postgres(folder / "data", password="admin-Pa55") as server:
        dsn = server.dsn("postgres")
        sources.ensure_reader_role(dsn, READER, PASSWORD, statement_timeout_ms=1000)
        with ThreadPoolExecutor(3) as pool:
            assert all(
                pool.map(lambda name: sources.load_source(dsn, name, READER), sources.SOURCES)
            )
        yield dsn
    shutil.rmtree(server.locations.data_dir.parent)  # may lie outside the test's own folder


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def reader_dsn(admin_dsn: str, database: str) -> str:
    return sources.with_login(sources.with_database(admin_dsn, database), READER, PASSWORD)


@pytest.mark.parametrize(
    ("database", "base_tables", "foreign_keys", "table", "count"),
    [
        ("pagila", 22, 36, "rental", 16044),
        ("chinook", 11, 11, "track", 3503),
        ("northwind", 14, 13, "order_details", 2155),
    ],
)
def test_reader_sees_the_whole_database(
    admin_dsn: str, database: str, base_tables: int, foreign_keys: int, table: str, count: int
) -> None:
    dsn = reader_dsn(admin_dsn, database)
    visible = "SELECT count(*) FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
    assert rows(dsn, visible + "AND table_schema = 'public'") == [(base_tables,)]
    # Partitions inherit their parent's keys; only those that were declared count.
    declared = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conparentid = 0"
    assert rows(dsn, declared) == [(foreign_keys,)]
    assert rows(dsn, f"SELECT count(*) FROM {table}") == [(count,)]
    estimate = f"SELECT reltuples FROM pg_class WHERE oid = 'public.{table}'::regclass"
    assert rows(dsn, estimate) == [(count,)]


def test_views_of_pagila_can_be_read(admin_dsn: str) -> None:
    dsn = reader_dsn(admin_dsn, "pagila")
    assert rows(dsn, "SELECT count(*) FROM payment") == [(16049,)]
    assert rows(dsn, "SELECT count(*) FROM rental_by_category") == [(16,)]
    assert rows(dsn, "SELECT count(*) FROM customer_list") == [(599,)]


def test_wrong_sql_of_the_reader_is_no_error_in_the_servers_log(
    admin_dsn: str, folder: Path
) -> None:
    with pytest.raises(errors.UndefinedTable):
        rows(reader_dsn(admin_dsn, "chinook"), "SELECT 1 FROM nowhere_at_all")
    sources.ensure_reader_role(admin_dsn, READER, PASSWORD, statement_timeout_ms=1000)
    log = (folder / "data.log").read_text()
    assert "ready to accept connections" in log
    assert "nowhere_at_all" not in log
    assert "already exists" not in log


def test_reader_cannot_write_or_stay_long(admin_dsn: str) -> None:
    dsn = reader_dsn(admin_dsn, "chinook")
    with pytest.raises(errors.ReadOnlySqlTransaction):
        rows(dsn, "DELETE FROM track RETURNING 1")
    with pytest.raises(errors.InsufficientPrivilege):
        rows(dsn, "SET TRANSACTION READ WRITE; DELETE FROM track RETURNING 1")
    with pytest.raises(errors.QueryCanceled):
        rows(dsn, "SELECT pg_sleep(10)")


def test_loading_again_changes_nothing_and_password_can_change(admin_dsn: str) -> None:
    assert not sources.load_source(admin_dsn, "chinook", READER)
    sources.ensure_reader_role(admin_dsn, "second_reader", "first")
    sources.ensure_reader_role(admin_dsn, "second_reader", "second")
    assert not sources.load_source(admin_dsn, "chinook", "second_reader")
    chinook = sources.with_database(admin_dsn, "chinook")
    assert rows(sources.with_login(chinook, "second_reader", "second"), "SELECT 1 FROM genre")


def fixtures_with(folder: Path, chinook: str) -> Path:
    """A folder of fixtures in which Chinook is a script of the test's own."""
    file = folder / "chinook" / "postgresql.sql.gz"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(chinook.encode()))
    return folder


def test_two_loads_at_once_make_one_database(admin_dsn: str, tmp_path: Path) -> None:
    slow = fixtures_with(tmp_path, "CREATE TABLE genre (id int); SELECT pg_sleep(0.3);")

    def load_once(_: int) -> bool:
        return sources.load_source(admin_dsn, "chinook", READER, database="twice", fixtures=slow)

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(load_once, range(3))) == [False, False, True]


def test_failed_load_leaves_no_database_and_says_why(admin_dsn: str, tmp_path: Path) -> None:
    # Far more text behind the error than a pipe holds: psql hangs up while it is being fed.
    rest = "INSERT INTO genre VALUES (1);\n" * 50_000
    broken = fixtures_with(tmp_path, f"CREATE TABLE genre (id int); SELECT nothing_here;\n{rest}")
    # What a killed load leaves behind must not be in the way either.
    with closing(psycopg2.connect(admin_dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE loading_broken")
    with pytest.raises(sources.SourceLoadError, match="chinook") as failed:
        sources.load_source(admin_dsn, "chinook", READER, database="broken", fixtures=broken)
    assert 'column "nothing_here" does not exist' in str(failed.value)
    assert "admin-Pa55" not in str(failed.value)
    assert rows(admin_dsn, "SELECT FROM pg_database WHERE datname = 'broken'") == []

    mended = fixtures_with(tmp_path, "CREATE TABLE genre (id int);")
    assert sources.load_source(admin_dsn, "chinook", READER, database="broken", fixtures=mended)


def test_unknown_sample_database_is_refused(admin_dsn: str) -> None:
    with pytest.raises(sources.SourceLoadError, match="pagila, chinook, northwind"):
        sources.load_source(admin_dsn, "sakila", READER)
