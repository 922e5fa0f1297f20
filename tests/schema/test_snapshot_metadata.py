"""What the UI shows of a snapshot, and the checks on it, through materializations."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import dagster as dg
import msgspec
import pytest
import sqlalchemy as sa

from twd_schema.definitions import build_defs
from twd_schema.defs.resources import SourceDatabaseResource
from twd_schema.defs.snapshot_metadata import snapshot_checks, snapshot_metadata
from twd_schema.documentation.diagram import MOST_TABLES
from twd_schema.history.recording import Recording
from twd_shared.contract import RAW_SCHEMA_METADATA
from twd_shared.schema_model.models import Column, Snapshot, Table, TableStatistics
from twd_shared.settings import Settings
from twd_shared.store.snapshot_versions import SnapshotVersion
from twd_shared.store.snapshots import SavedSnapshot

Read = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def read(resources: dict[str, Any], catalog: Any, instance: dg.DagsterInstance) -> Read:
    """Materialize raw_schema_metadata of the source at a DSN: read(dsn, scratch_dsn="")."""
    instance.add_dynamic_partitions("source_databases", ["shop"])
    store = resources["metadata_store"]

    def materialized(dsn: str, scratch_dsn: str = "") -> dg.ExecuteInProcessResult:
        catalog.rows.clear()
        catalog.add(7, "shop", dsn)
        store.connections.register(resources["catalog"].catalog.listing().connections)
        source = SourceDatabaseResource(hosts="loopback", scratch_dsn=scratch_dsn)
        settings = Settings(run_retry_seconds=0, run_max_retries=0, confirm_seconds=0)
        location = build_defs(settings, {**resources, "source_database": source})
        return location.resolve_job_def("schema_import_job").execute_in_process(
            instance=instance, partition_key="shop", asset_selection=[RAW_SCHEMA_METADATA.key]
        )

    return materialized


def shown(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event] = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def failed(result: dg.ExecuteInProcessResult) -> list[str]:
    return [name for name, check in checks(result).items() if not check.passed]


def test_a_first_import_of_pagila_shows_what_was_read(services: Any, read: Read) -> None:
    dsn = services.source("pagila")
    result = read(dsn)
    metadata = shown(result)
    assert metadata["database_name"] == "pagila"
    assert metadata["dialect"].startswith("postgresql 1")
    assert metadata["schema"] == "public"
    assert (metadata["table_count"], metadata["column_count"]) == (23, 131)
    assert metadata["tables"]["public.film"] == 14
    assert metadata["objects"]["table"] == 23
    assert metadata["objects"]["enum"] == 1
    assert (metadata["version"], len(metadata["fingerprint"])) == (1, 32)
    assert metadata["objects_added"] == sum(metadata["objects"].values())
    assert (metadata["objects_removed"], metadata["objects_modified"]) == (0, 0)
    assert metadata["changes"] == "This is the first version."
    assert 0 < metadata["read_seconds"] < 60
    assert 0 < metadata["statements"] <= 12
    assert (metadata["unknown"], metadata["unconfirmed_tables"]) == ("nothing", [])
    assert failed(result) == []
    assert set(checks(result)) == {"snapshot_not_empty", "snapshot_not_smaller", "ddl_replayable"}


def test_no_part_of_an_address_is_shown(services: Any, read: Read) -> None:
    dsn = services.source("pagila")
    password = sa.make_url(dsn).password
    result = read(dsn, scratch_dsn=dsn.replace("/pagila", "/canary-9f2c"))
    everything = str(shown(result)) + str(list(checks(result).values()))
    assert password is not None
    assert password not in everything


def test_the_largest_tables_are_listed_first(services: Any, read: Read) -> None:
    [film] = [row for row in rows(read(services.source("pagila"))) if row["table"] == "public.film"]
    assert film["kind"] == "table"
    assert film["columns"] == 14
    assert film["bytes (estimate)"] > 0


def rows(result: dg.ExecuteInProcessResult) -> list[dict[str, Any]]:
    [event] = result.get_asset_materialization_events()
    sizes = event.materialization.metadata["table_sizes"]
    assert isinstance(sizes, dg.TableMetadataValue)
    found = [dict(record.data) for record in sizes.records]
    assert found == sorted(found, key=lambda row: -int(row["bytes (estimate)"]))
    return found


def test_the_picture_is_an_image_that_can_be_read(services: Any, read: Read) -> None:
    picture = shown(read(services.source("pagila")))["diagram"]
    prefix = "![Tables and their references](data:image/svg+xml;base64,"
    assert picture.startswith(prefix)
    svg = base64.b64decode(picture.removeprefix(prefix).removesuffix(")"), validate=True)
    assert b"public.film_actor" in ElementTree.tostring(
        ElementTree.fromstring(svg)  # noqa: S314 - our own text
    )


def test_columns_are_shown_with_type_and_constraints(services: Any, read: Read) -> None:
    schema = shown(read(services.source("pagila")))["dagster/column_schema"]
    columns = {column.name: column for column in schema.columns}
    assert len(columns) == 131
    key, title = columns["public.film.film_id"], columns["public.film.title"]
    assert (key.type, key.constraints.nullable, key.constraints.unique) == ("integer", False, True)
    assert (title.type, title.constraints.unique) == ("text", False)


def test_a_second_import_shows_what_changed(
    services: Any, execute: Callable[..., None], read: Read
) -> None:
    dsn = services.database()
    execute(dsn, "create table a (x int)", "create table b ()")
    read(dsn)
    execute(dsn, "alter table a drop x, add y text")
    metadata = shown(read(dsn))
    assert (metadata["version"], metadata["objects_modified"]) == (2, 1)
    assert "Column public.a.x was removed" in metadata["changes"]
    assert shown(read(dsn))["changes"] == "No change."


def test_a_large_drop_is_shown_and_fails_its_check_once(
    services: Any, execute: Callable[..., None], read: Read
) -> None:
    dsn = services.database()
    execute(dsn, "create table a ()", "create table b ()")
    read(dsn)
    execute(dsn, "drop table b")
    result = read(dsn)
    assert failed(result) == ["snapshot_not_smaller"]
    check = checks(result)["snapshot_not_smaller"]
    assert check.metadata["dropped_tables"].value == ["public.b"]
    assert check.description == "1 table is gone; a second reading confirmed it."
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert failed(read(dsn)) == []


def test_ddl_that_the_scratch_database_refuses_fails_its_check(
    services: Any, execute: Callable[..., None], read: Read
) -> None:
    dsn = services.database()
    execute(dsn, "create table a ()")
    result = read(dsn, scratch_dsn="postgresql://u:canary-9f2c@127.0.0.1:1/scratch")
    assert failed(result) == ["ddl_replayable"]
    description = checks(result)["ddl_replayable"].description
    assert description is not None
    assert description.startswith("The scratch database at 127.0.0.1:1/scratch is not available")
    assert "canary" not in description


def test_hostile_names_are_shown(services: Any, execute: Callable[..., None], read: Read) -> None:
    dsn = services.database()
    names = ('a"b|c', "![x](https://example.com/x)", "<script>", "line\nbreak", "🙂", "\x1b[31m")
    execute(
        dsn,
        *('create table "{}" ("{}" int)'.format(*[name.replace('"', '""')] * 2) for name in names),
    )
    result = read(dsn)
    assert set(shown(result)["tables"]) == {f"public.{name}" for name in names}
    assert failed(result) == []


@pytest.fixture
def recording() -> Recording:
    """A recording of one table, to be varied."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    version = SnapshotVersion("7", 1, "0" * 32, 1, 1, now, now, None, ())
    return Recording(wide(1, 1), SavedSnapshot(version, None, (), (), ()), 0.1, 0)


def wide(tables: int, columns: int, dialect: str = "postgresql") -> Snapshot:
    made = tuple(Column(name=f"c{number}", type="int") for number in range(columns))
    return Snapshot(
        dialect=dialect,
        database_name="shop",
        server_version="1",
        tables=tuple(
            Table(schema="s", name=f"t{number:03}", kind="table", columns=made)
            for number in range(tables)
        ),
    )


def test_a_schema_of_many_tables_has_no_picture(recording: Recording) -> None:
    for tables, has_picture in ((MOST_TABLES, True), (MOST_TABLES + 1, False)):
        made = dataclasses.replace(recording, snapshot=wide(tables, 1))
        assert ("diagram" in snapshot_metadata(made, None)) is has_picture


def test_of_many_tables_the_first_and_the_largest_are_listed(recording: Recording) -> None:
    largest = TableStatistics(schema="s", table="t119", size_bytes=1)
    snapshot = msgspec.structs.replace(wide(120, 1), statistics=(largest,))
    made = snapshot_metadata(dataclasses.replace(recording, snapshot=snapshot), None)
    assert made["table_count"] == 120
    assert (len(made["tables"].value), made["tables"].value["… more tables"]) == (101, 20)
    records = made["table_sizes"].records
    assert (len(records), records[0].data["table"]) == (100, "s.t119")


def test_a_schema_of_many_columns_is_not_listed_by_column(recording: Recording) -> None:
    for columns, is_listed in ((500, True), (501, False)):
        made = dataclasses.replace(recording, snapshot=wide(1, columns))
        assert ("dagster/column_schema" in snapshot_metadata(made, None)) is is_listed


def test_a_secret_in_a_columns_comment_is_not_shown(recording: Recording) -> None:
    column = Column(name="c", type="text", comment="Read with token=9f2c81aa as well")
    table = Table(schema="s", name="t", kind="table", columns=(column,))
    snapshot = msgspec.structs.replace(recording.snapshot, tables=(table,))
    made = snapshot_metadata(dataclasses.replace(recording, snapshot=snapshot), None)
    [listed] = made["dagster/column_schema"].columns
    assert listed.description == "Read with token=… as well"


def test_a_size_that_the_server_does_not_know_is_not_shown_as_zero(recording: Recording) -> None:
    sizes = (TableStatistics(schema="s", table="t000", size_bytes=0),)
    snapshot = msgspec.structs.replace(wide(2, 1), statistics=sizes)
    made = dataclasses.replace(recording, snapshot=snapshot)
    records = snapshot_metadata(made, None)["table_sizes"].records
    assert [
        (record.data["table"], record.data["rows (estimate)"], record.data["bytes (estimate)"])
        for record in records
    ] == [("s.t000", -1, 0), ("s.t001", -1, -1)]


def test_statements_that_were_not_counted_are_not_shown(recording: Recording) -> None:
    assert "statements" not in snapshot_metadata(recording, None)


def outcome(recording: Recording, name: str, *problems: str) -> tuple[bool, str | None]:
    [result] = [r for r in snapshot_checks(recording, problems) if r.check_name == name]
    return result.passed, result.description


def test_a_snapshot_without_tables_is_empty(recording: Recording) -> None:
    made = dataclasses.replace(recording, snapshot=wide(0, 0))
    assert outcome(made, "snapshot_not_empty") == (False, None)
    assert outcome(recording, "snapshot_not_empty") == (True, None)


def test_tables_out_of_sight_fail_their_check_with_a_remedy(recording: Recording) -> None:
    made = dataclasses.replace(recording, unconfirmed=(("table", "s", "t"), ("enum", "s", "e")))
    passed, description = outcome(made, "snapshot_not_smaller")
    assert not passed
    assert description is not None
    assert description.startswith("1 table is not shown to the role that reads, or only in part")
    assert "Grant SELECT" in description


def test_the_first_problem_of_ddl_describes_its_check(recording: Recording) -> None:
    assert outcome(recording, "ddl_replayable", "one", "two") == (False, "one")


def test_a_dialect_that_nothing_parses_here_is_said_not_to_be_checked(
    recording: Recording,
) -> None:
    made = dataclasses.replace(recording, snapshot=wide(1, 1, "mysql"))
    assert outcome(made, "ddl_replayable") == (
        True,
        "The DDL of mysql is not checked: no server here parses it.",
    )
