"""An import makes a source searchable; a sync updates what changed and nothing else."""

from __future__ import annotations

from typing import Any

import dagster as dg
import psycopg2
import pytest
import sqlalchemy as sa

from twd_schema.defs import sync_assets
from twd_shared.contract import RAW_SCHEMA_METADATA, SCHEMA_EMBEDDINGS, UPDATED_EMBEDDINGS
from twd_shared.errors import MetadataUnavailable
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.retrieval.search import retrieve_tables
from twd_shared.store.tables import alerts

DIFF = dg.AssetKey(["sync", "schema_diff"])


@pytest.fixture
def shop(services: Any) -> str:
    """A small source of this test's own, as its owner."""
    dsn = services.database()
    execute(
        dsn,
        """create table customers (id int primary key, full_name text not null);
           create table invoices (id int primary key, customer_id int references customers,
                                  total numeric(10,2) not null);
           comment on table invoices is 'What a customer has to pay'""",
    )
    return dsn


def execute(dsn: str, statements: str) -> None:
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(statements)
    connection.close()


def run(
    location: dg.Definitions, instance: dg.DagsterInstance, job: str = "schema_sync_job"
) -> dg.ExecuteInProcessResult:
    return location.resolve_job_def(job).execute_in_process(
        instance=instance, partition_key="shop", raise_on_error=False
    )


def metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    [event] = [e for e in result.get_asset_materialization_events() if e.asset_key == key]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def data_version(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    event = instance.get_latest_materialization_event(key)
    assert event is not None
    assert event.asset_materialization is not None
    tags = event.asset_materialization.tags
    return tags.get("dagster/data_version") if tags else None


@pytest.fixture
def imported(
    location: dg.Definitions,
    instance: dg.DagsterInstance,
    resources: dict[str, Any],
    catalog: Any,
    shop: str,
) -> dg.ExecuteInProcessResult:
    catalog.add(7, "shop", shop)
    store: MetadataStoreResource = resources["metadata_store"]
    store.connections.register(resources["catalog"].catalog.listing().connections)
    instance.add_dynamic_partitions("source_databases", ["shop"])
    return run(location, instance, "schema_import_job")


def test_an_import_materializes_every_asset_of_the_source(
    imported: dg.ExecuteInProcessResult,
) -> None:
    assert imported.success
    keys = {e.asset_key.to_user_string() for e in imported.get_asset_materialization_events()}
    assert keys == {
        "schema/raw_schema_metadata",
        "schema/schema_documentation",
        "schema/schema_embeddings",
        "sync/schema_diff",
        "sync/updated_embeddings",
    }


def test_an_import_shows_what_it_read(imported: dg.ExecuteInProcessResult) -> None:
    shown = metadata(imported, RAW_SCHEMA_METADATA.key)
    assert shown["table_count"] == 2
    assert shown["tables"] == {"public.customers": 2, "public.invoices": 3}
    assert metadata(imported, SCHEMA_EMBEDDINGS.key)["embedded_tables"] == 2


def test_an_imported_table_is_found_by_its_comment(
    imported: dg.ExecuteInProcessResult, resources: dict[str, Any]
) -> None:
    found = retrieve_tables(
        "what must a customer pay",
        connection_id="7",
        index=resources["qdrant"].schema_index,
        ollama=resources["ollama"].client,
    )
    assert found.tables[0].label == "public.invoices"


def test_another_connection_finds_nothing_of_it(
    imported: dg.ExecuteInProcessResult, resources: dict[str, Any]
) -> None:
    assert not retrieve_tables(
        "customers",
        connection_id="8",
        index=resources["qdrant"].schema_index,
        ollama=resources["ollama"].client,
    ).tables


def test_a_sync_without_a_change_embeds_nothing_and_keeps_every_data_version(
    imported: dg.ExecuteInProcessResult, location: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    keys = [e.asset_key for e in imported.get_asset_materialization_events()]
    before = {key: data_version(instance, key) for key in keys}
    again = run(location, instance)
    assert again.success
    assert {key: data_version(instance, key) for key in keys} == before
    assert metadata(again, DIFF)["has_changes"] is False
    assert metadata(again, UPDATED_EMBEDDINGS.key)["points_embedded_now"] == 0


def test_a_sync_embeds_the_changed_table_and_deletes_the_removed_one(
    imported: dg.ExecuteInProcessResult,
    location: dg.Definitions,
    instance: dg.DagsterInstance,
    shop: str,
) -> None:
    execute(
        shop,
        """drop table invoices; alter table customers add email text;
           create table orders (id int primary key)""",
    )
    result = run(location, instance)
    assert result.success
    diff = metadata(result, DIFF)
    assert diff["added_tables"] == ["public.orders"]
    assert diff["removed_tables"] == ["public.invoices"]
    assert diff["modified_tables"] == ["public.customers"]
    update = metadata(result, UPDATED_EMBEDDINGS.key)
    assert (update["points_embedded_now"], update["points_deleted"]) == (2, 1)
    whole = metadata(result, SCHEMA_EMBEDDINGS.key)
    assert (whole["embedded_tables"], whole["points"]) == (2, "2 / 2")


def test_a_point_that_cannot_be_deleted_fails_the_check_of_the_index(
    imported: dg.ExecuteInProcessResult,
    location: dg.Definitions,
    instance: dg.DagsterInstance,
    shop: str,
    faults: Any,
) -> None:
    execute(shop, "drop table invoices")
    done = {"result": {"operation_id": 1, "status": "completed"}, "status": "ok", "time": 0.1}
    faults("qdrant", {"path": "/points/delete", "status": 200, "body": done})
    result = run(location, instance)
    # It blocks: the run fails, and what comes after does not begin.
    assert not result.success
    checks = [
        check
        for check in result.get_asset_check_evaluations()
        if check.check_name == "schema_index_complete"
    ]
    told = [
        (check.passed, check.metadata["expected"].value, check.metadata["present"].value)
        for check in checks
    ]
    assert told == [(False, 1, 2)] * 2


def test_a_breaking_change_raises_one_alert_however_often_it_is_synced(
    imported: dg.ExecuteInProcessResult,
    location: dg.Definitions,
    instance: dg.DagsterInstance,
    resources: dict[str, Any],
    shop: str,
) -> None:
    execute(shop, "alter table invoices drop column total")
    run(location, instance)
    run(location, instance)
    with resources["metadata_store"].database.begin() as transaction:
        rows = transaction.execute(sa.select(alerts)).all()
    assert [row.severity for row in rows] == ["breaking"]
    assert "public.invoices.total was removed" in rows[0].body


def test_what_the_options_leave_out_since_is_not_told_as_removed(
    imported: dg.ExecuteInProcessResult,
    location: dg.Definitions,
    instance: dg.DagsterInstance,
    resources: dict[str, Any],
    catalog: Any,
    shop: str,
) -> None:
    catalog.rows[0]["extraction"] = {"exclude": ["public.invoices"]}
    execute(shop, "alter table customers add email text")
    said = run(location, instance)
    assert metadata(said, DIFF)["modified_tables"] == ["public.customers"]
    assert metadata(said, DIFF)["removed_tables"] == []
    assert metadata(said, UPDATED_EMBEDDINGS.key)["points_deleted"] == 1
    with resources["metadata_store"].database.begin() as transaction:
        assert transaction.execute(sa.select(alerts)).all() == []


def test_a_table_that_becomes_part_of_one_that_is_left_out_is_not_told_as_removed(
    imported: dg.ExecuteInProcessResult,
    location: dg.Definitions,
    instance: dg.DagsterInstance,
    resources: dict[str, Any],
    catalog: Any,
    shop: str,
) -> None:
    catalog.rows[0]["extraction"] = {"exclude": ["public.events"]}
    execute(shop, "create table events (id int) partition by list (id)")
    execute(shop, "create table events_2026 (id serial); create table events_2027 (id int)")
    assert metadata(run(location, instance), DIFF)["added_tables"] == [
        "public.events_2026",
        "public.events_2027",
    ]
    execute(shop, "alter table events attach partition events_2026 for values in (2026)")
    said = run(location, instance)
    assert metadata(said, DIFF)["has_changes"] is False
    assert metadata(said, UPDATED_EMBEDDINGS.key)["points_deleted"] == 1
    execute(shop, "drop table events_2026, events_2027")
    assert metadata(run(location, instance), DIFF)["removed_tables"] == ["public.events_2027"]
    with resources["metadata_store"].database.begin() as transaction:
        titles = transaction.execute(sa.select(alerts.c.title)).scalars().all()
    assert titles == ["shop: breaking schema change of public.events_2027"]


def test_a_breaking_change_is_told_even_if_the_index_moved_on_before_it_could_be(
    imported: dg.ExecuteInProcessResult,
    location: dg.Definitions,
    instance: dg.DagsterInstance,
    resources: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    shop: str,
) -> None:
    execute(shop, "alter table invoices drop column total")
    with monkeypatch.context() as broken:
        broken.setattr(sync_assets, "compared_with_index", _fail)
        assert not run(location, instance).success
    assert resources["metadata_store"].index_states.get("7").snapshot_version == 2
    assert metadata(run(location, instance), DIFF)["breaking_changes"] == 1


def _fail(*_: object) -> None:
    raise MetadataUnavailable("The metadata database is not available.")


def test_a_database_without_tables_fails_with_a_remedy_and_loses_nothing(
    imported: dg.ExecuteInProcessResult,
    location: dg.Definitions,
    instance: dg.DagsterInstance,
    resources: dict[str, Any],
    shop: str,
) -> None:
    execute(shop, "drop table invoices, customers")
    result = run(location, instance)
    assert not result.success
    [failure] = result.get_step_failure_events()
    assert "shows no table" in str(failure.event_specific_data)
    assert resources["metadata_store"].index_states.get("7").point_count == 2
    [known] = resources["metadata_store"].connections.known()
    assert known.status == "failing"


def test_no_event_of_a_failed_import_repeats_the_password(
    location: dg.Definitions,
    instance: dg.DagsterInstance,
    resources: dict[str, Any],
    catalog: Any,
    shop: str,
) -> None:
    canary = "canary-9f2c"
    catalog.add(7, "shop", f"postgresql://nobody:{canary}@{shop.rpartition('@')[2]}")
    resources["metadata_store"].connections.register(
        resources["catalog"].catalog.listing().connections
    )
    instance.add_dynamic_partitions("source_databases", ["shop"])
    result = run(location, instance, "schema_import_job")
    assert not result.success
    logs = "\n".join(str(record) for record in instance.all_logs(result.run_id))
    assert "connection 7 (shop)" in logs
    assert "Correct the connection in the application" in logs
    assert canary not in logs
