"""The same sample database in three dialects is read as the same schema, and made again from it."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from twd_schema.extraction.reading import SchemaReader
from twd_shared.schema_model.ddl.script import schema_script
from twd_shared.schema_model.models import Snapshot, Table
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

FIXTURES = Path(__file__).parents[3] / "deploy/local/fixtures/chinook"


def script(dialect: str) -> str:
    return gzip.decompress((FIXTURES / f"{dialect}.sql.gz").read_bytes()).decode("utf-8-sig")


def read_sqlite(file: Path, connection_to: Any) -> Snapshot:
    reader = SchemaReader(frozenset({"sqlite"}), ReadLimits(), reach_policy("", str(file.parent)))
    return reader.read(connection_to(f"sqlite:///{file}", "sqlite"))


@pytest.fixture(scope="module")
def postgresql(services: Any, reader: Any, connection_to: Any) -> Snapshot:
    return reader.read(connection_to(services.source("chinook")))


@pytest.fixture(scope="module")
def mysql(server: Any, read: Any) -> Snapshot:
    server.execute(script("mysql"))
    return read("Chinook", server.role("select on `Chinook`.*"))


@pytest.fixture(scope="module")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("chinook") / "chinook.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script("sqlite"))
    return file


@pytest.fixture(scope="module")
def sqlite(sqlite_file: Path, connection_to: Any) -> Snapshot:
    return read_sqlite(sqlite_file, connection_to)


@pytest.fixture(params=["mysql", "sqlite"])
def snapshot(request: pytest.FixtureRequest) -> Snapshot:
    return request.getfixturevalue(request.param)


def folded(name: str) -> str:
    return name.lower().replace("_", "")


def names(table: Table) -> tuple[str, list[str], list[str], set[tuple[object, ...]]]:
    """What is the same in all dialects: everything but types, and names of constraints."""
    key = table.primary_key
    return (
        folded(table.name),
        [folded(column.name) for column in table.columns],
        [folded(name) for name in key.columns] if key else [],
        {
            (
                tuple(folded(name) for name in key.columns),
                folded(key.referenced_table),
                tuple(folded(name) for name in key.referenced_columns),
            )
            for key in table.foreign_keys
        },
    )


def test_all_of_it_is_read(snapshot: Snapshot) -> None:
    assert (
        len(snapshot.tables),
        snapshot.column_count,
        sum(len(table.foreign_keys) for table in snapshot.tables),
        sum(table.primary_key is not None for table in snapshot.tables),
    ) == (11, 64, 11, 11)


def test_it_is_the_schema_that_postgresql_has(snapshot: Snapshot, postgresql: Snapshot) -> None:
    expected = {folded(table.name): names(table) for table in postgresql.tables}
    assert {folded(table.name): names(table) for table in snapshot.tables} == expected


def test_written_ddl_makes_it_again_on_mysql(mysql: Snapshot, server: Any, read: Any) -> None:
    server.execute("drop database `Chinook`", "create database `Chinook`")
    server.execute("set foreign_key_checks = 0", *schema_script(mysql), database="Chinook")
    assert read("Chinook").tables == mysql.tables


def test_written_ddl_makes_it_again_on_sqlite(
    sqlite: Snapshot, tmp_path: Path, connection_to: Any
) -> None:
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(copy)) as connection:
        for statement in schema_script(sqlite):
            connection.execute(statement)
    assert read_sqlite(copy, connection_to).tables == sqlite.tables
