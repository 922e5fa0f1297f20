"""Migrations of schema `twd`: up, down and up again, and the same as the models."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.migrate import downgrade, main, upgrade
from twd_shared.store.tables import SCHEMA_NAME, metadata


def tables_of(dsn: str) -> set[str]:
    engine = sa.create_engine(dsn, poolclass=sa.NullPool)
    return set(sa.inspect(engine).get_table_names(schema=SCHEMA_NAME))


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
