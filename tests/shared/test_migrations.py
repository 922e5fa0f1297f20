"""Migrations of schema `twd`: up, down and up again, and the same as the models."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from twd_shared.schema_model.fingerprint import fingerprints_of, key_of, snapshot_fingerprint
from twd_shared.schema_model.models import Table, encode
from twd_shared.store import (  # noqa: F401 - their tables belong to the metadata
    analytics_tables,
    sync_tables,
)
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.documentation import DocumentationStore, TableCard
from twd_shared.store.migrate import downgrade, main, upgrade
from twd_shared.store.snapshots import SnapshotStore
from twd_shared.store.tables import SCHEMA_NAME, metadata


def tables_of(dsn: str) -> set[str]:
    engine = sa.create_engine(dsn, poolclass=sa.NullPool)
    return set(sa.inspect(engine).get_table_names(schema=SCHEMA_NAME))


def table(comment: str) -> Table:
    return Table(schema="public", name="orders", kind="table", comment=comment)


OLD, NEW = table("old"), table("new")


def write_connection(dsn: str) -> None:
    """Connection 7, shop."""
    engine = sa.create_engine(dsn, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into twd.connections"
                " (connection_id, partition_key, database_name, db_type, is_active)"
                " values ('7', 'shop', 'shop', 'postgresql', true)"
            )
        )


def write_two_versions(dsn: str) -> None:
    """What revision 0001 wrote when `OLD` became `NEW`."""
    write_connection(dsn)
    engine = sa.create_engine(dsn, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for version, item in ((1, OLD), (2, NEW)):
            fingerprints = fingerprints_of({key_of(item): item})
            values = {
                "version": version,
                "to_version": 2 if version == 1 else None,
                "fingerprint": fingerprints[key_of(item)],
                "whole": snapshot_fingerprint(fingerprints),
                "body": encode(item).decode(),
            }
            for statement in (
                "insert into twd.snapshots"
                " values ('7', :version, :whole, 'postgresql', 'shop', '16.4', '[]', 1, 0,"
                " clock_timestamp(), clock_timestamp())",
                "insert into twd.schema_objects values (:fingerprint, 'table', :body)",
                "insert into twd.snapshot_objects"
                " values ('7', 'table', 'public', 'orders', :version, :to_version, :fingerprint)",
            ):
                connection.execute(sa.text(statement), values)


def rows_of(dsn: str) -> dict[str, list[str]]:
    """Every row of every table as text."""
    engine = sa.create_engine(dsn, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return {
            name: sorted(connection.execute(sa.text(f"select t::text from twd.{name} t")).scalars())
            for name in tables_of(dsn)
        }


def test_a_migrated_database_has_what_the_models_say(metadata_dsn: str) -> None:
    engine = sa.create_engine(metadata_dsn, poolclass=sa.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA_NAME,
                "compare_server_default": True,
                "version_table_schema": SCHEMA_NAME,
            },
        )
        assert compare_metadata(context, metadata) == []


def test_comments_of_the_models_are_in_the_database(metadata_dsn: str) -> None:
    engine = sa.create_engine(metadata_dsn, poolclass=sa.NullPool)
    inspector = sa.inspect(engine)
    assert {
        table.name: inspector.get_table_comment(table.name, SCHEMA_NAME)["text"]
        for table in metadata.tables.values()
    } == {table.name: table.comment for table in metadata.tables.values()}


def test_down_and_up_again_leaves_the_same_tables(services: Any) -> None:
    dsn = services.database()
    upgrade(dsn)
    first = tables_of(dsn)
    downgrade(dsn)
    assert tables_of(dsn) <= {"alembic_version"}
    upgrade(dsn)
    assert (
        tables_of(dsn) == first == {t.name for t in metadata.tables.values()} | {"alembic_version"}
    )


def test_versions_of_the_first_revision_are_read_after_the_upgrade(services: Any) -> None:
    dsn = services.database()
    upgrade(dsn, "0001")
    write_two_versions(dsn)
    upgrade(dsn)
    database = MetadataDatabase(dsn)
    store = SnapshotStore(database)
    assert [store.load("7", version).tables for version in (1, 2)] == [(OLD,), (NEW,)]
    newest, first = store.versions("7")
    assert (first.ended_at, newest.ended_at) == (newest.taken_at, None)
    saved = store.save("7", store.load("7", 2))
    assert (saved.version.version, saved.version.unconfirmed) == (2, ())
    database.close()


def test_a_downgrade_to_the_first_revision_keeps_its_rows(services: Any) -> None:
    dsn = services.database()
    upgrade(dsn, "0001")
    write_two_versions(dsn)
    before = rows_of(dsn)
    upgrade(dsn)
    downgrade(dsn, "0001")
    assert rows_of(dsn) == before


def test_cards_of_the_second_revision_are_read_after_the_upgrade(services: Any) -> None:
    dsn = services.database()
    upgrade(dsn, "0002")
    write_connection(dsn)
    engine = sa.create_engine(dsn, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "insert into twd.table_documentation (connection_id, schema_name, table_name, card,"
                " content_hash, table_fingerprint, snapshot_version)"
                " values ('7', 'public', 'orders', 'A card', 'hash', 'print', 2)"
            )
        )
    upgrade(dsn)
    database = MetadataDatabase(dsn)
    assert DocumentationStore(database).cards("7") == [
        TableCard("public", "orders", "A card", "hash", "print")
    ]
    database.close()


def test_an_upgrade_of_an_upgraded_database_keeps_its_rows(
    metadata_dsn: str, database: MetadataDatabase, registry: Any
) -> None:
    upgrade(metadata_dsn)
    assert [item.partition_key for item in registry.known()] == ["shop"]


def test_the_command_without_a_database_says_which_setting_is_missing(
    monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.delenv("TWD_METADATA_DSN", raising=False)
    assert main([]) == 2
    assert "TWD_METADATA_DSN is not set" in capsys.readouterr().err


def test_the_command_says_what_it_understands(capsys: Any) -> None:
    assert main(["sideways"]) == 2
    assert "upgrade, downgrade" in capsys.readouterr().err


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:hush@127.0.0.1:1/meta",
        "postgresql://u:x@hush@127.0.0.1:1/meta",
        "postgresql://u:hush@127.0.0.1:port/meta",
        "mysql://u:hush@127.0.0.1:1/meta",
    ],
)
def test_an_address_that_cannot_be_used_is_a_line_without_its_password(
    monkeypatch: Any, capsys: Any, dsn: str
) -> None:
    monkeypatch.setenv("TWD_METADATA_DSN", dsn)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert "TWD_METADATA_DSN" in said
    assert said.count("\n") == 1
    assert "hush" not in said


def test_tables_of_a_newer_release_are_told_as_such(
    monkeypatch: Any, capsys: Any, metadata_dsn: str
) -> None:
    engine = sa.create_engine(metadata_dsn, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("update twd.alembic_version set version_num = '9999'"))
    monkeypatch.setenv("TWD_METADATA_DSN", metadata_dsn)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert f"{engine.url.database} cannot be migrated" in said
    assert "'9999'" in said
    assert "newer release" in said


def test_days_that_an_earlier_release_measured_are_kept(services: Any) -> None:
    dsn = services.database()
    upgrade(dsn, "0006")
    worst = (
        '[{"connection_id": "7", "table": "film", "failed": 1, "generated": 3,'
        ' "in_snapshot": true}]'
    )
    statements = (
        "insert into twd.daily_query_stats (day, connection_id, total, successful, failed,"
        " unanswered, unique_users, most_common_queries, top_tables)"
        """ values ('2026-03-10', '7', 5, 3, 1, 1, 2, '[{"question": "q", "count": 2}]', '[]')""",
        "insert into twd.daily_sql_accuracy (day, connection_id, model_version, generated, parsed,"
        " executed, error_classes, problematic_tables)"
        f""" values ('2026-03-10', '7', 4, 4, 4, 3, '{{"syntax": 1}}', '{worst}')""",
    )
    engine = sa.create_engine(dsn, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement.replace(":", r"\:")))

    def asked(query: str) -> Any:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    upgrade(dsn)
    assert asked("select total, most_common_questions->0->>'question' from twd.daily_query_stats")
    assert asked("select generated, read_only, error_classes from twd.daily_sql_accuracy") == [
        (4, None, {"syntax": 1})
    ]
    assert asked(
        "select model_version, generated, executed from twd.daily_sql_accuracy_by_model"
    ) == [(4, 4, 3)]
    assert asked(
        "select table_name, generated, failed, is_known from twd.daily_sql_accuracy_by_object"
    ) == [("film", 3, 1, True)]
    downgrade(dsn, "0006")
    assert asked("select model_version, generated from twd.daily_sql_accuracy") == [(4, 4)]
    assert asked("select most_common_queries->0->>'question' from twd.daily_query_stats") == [
        ("q",)
    ]
