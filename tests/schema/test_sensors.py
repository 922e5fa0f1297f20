"""The sensors on real servers, tick by tick: what they request, and what they say otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from twd_schema.definitions import build_defs
from twd_schema.documentation.cards import document_tables
from twd_schema.drift.diff import diff_snapshots
from twd_schema.drift.store import DiffStore
from twd_schema.history.recording import DropPolicy, SnapshotRecorder
from twd_schema.indexing.publication import Publisher
from twd_shared import run_requests
from twd_shared.contract import CONNECTION_TAG, TRIGGER_TAG
from twd_shared.resources.servers import QdrantResource
from twd_shared.resources.stores import CatalogResource
from twd_shared.retrieval.search import retrieve_tables
from twd_shared.settings import Settings
from twd_shared.store.index_locks import IndexLocks
from twd_shared.store.tables import schema_diffs

PARTITIONS = "source_databases"
RESOURCES = ("metadata_store", "catalog", "source_database", "ollama", "qdrant")


class Daemon:
    """Ticks the location's sensors as Dagster's daemon does and runs what they request."""

    def __init__(
        self,
        location: dg.Definitions,
        sensors: dict[str, dg.SensorDefinition],
        instance: dg.DagsterInstance,
        resources: dict[str, Any],
    ) -> None:
        self.location, self.instance, self.resources = location, instance, resources
        self.sensors = sensors
        self.cursors: dict[str, str | None] = {}

    def tick(self, name: str) -> dg.SensorResult:
        """One evaluation of the sensor; what it asks of partitions is done."""
        sensor = self.sensors[name]
        with dg.build_sensor_context(
            instance=self.instance, cursor=self.cursors.get(name), resources=self.resources
        ) as context:
            result = sensor(context)
        if isinstance(result, dg.SkipReason):
            return dg.SensorResult(skip_reason=result)
        assert isinstance(result, dg.SensorResult)
        self.cursors[name] = result.cursor
        for change in result.dynamic_partitions_requests or ():
            if isinstance(change, dg.AddDynamicPartitionsRequest):
                self.instance.add_dynamic_partitions(PARTITIONS, list(change.partition_keys))
            else:
                for key in change.partition_keys:
                    self.instance.delete_dynamic_partition(PARTITIONS, key)
        # Dagster fails a tick that requests a run of a partition that is not there.
        assert {item.partition_key for item in result.run_requests or ()} <= {*self.partitions()}
        return result

    def reason(self, name: str) -> str:
        """Why a tick of the sensor requests nothing."""
        skipped = self.tick(name).skip_reason
        assert skipped is not None
        return skipped.skip_message or ""

    def requested(self, name: str) -> list[str]:
        """The partitions that a tick of the sensor requests runs for."""
        return [str(request.partition_key) for request in self.tick(name).run_requests or ()]

    def run(self, job: str, partition: str) -> bool:
        """Run the job for the partition; whether it succeeded."""
        return (
            self.location.resolve_job_def(job)
            .execute_in_process(
                instance=self.instance, partition_key=partition, raise_on_error=False
            )
            .success
        )

    def partitions(self) -> list[str]:
        return sorted(self.instance.get_dynamic_partitions(PARTITIONS))


@pytest.fixture(scope="module")
def sensors() -> dict[str, dg.SensorDefinition]:
    """The location's sensors by name; each tick brings the resources."""
    unused = {name: dg.ResourceDefinition.none_resource() for name in RESOURCES}
    definitions = build_defs(Settings(), unused)
    return {item.name: item for item in definitions.get_repository_def().sensor_defs}


@pytest.fixture
def daemon(
    location: dg.Definitions,
    sensors: dict[str, dg.SensorDefinition],
    instance: dg.DagsterInstance,
    resources: dict[str, Any],
) -> Daemon:
    return Daemon(location, sensors, instance, resources)


@pytest.fixture
def shop(services: Any, execute: Callable[..., None]) -> str:
    dsn = services.database()
    execute(dsn, "create table customers (id int primary key, name text)")
    return dsn


@pytest.fixture
def imported(daemon: Daemon, catalog: Any, shop: str) -> str:
    """A source that is imported, by its connection string."""
    catalog.add(7, "shop", shop)
    daemon.tick("new_connection_sensor")
    # What the import job does, without a run of Dagster's; the job itself is tested elsewhere.
    store, resources = daemon.resources["metadata_store"], daemon.resources
    [connection] = resources["catalog"].catalog.listing().connections
    recording = SnapshotRecorder(
        resources["source_database"].reader, store.snapshots, store.connections, DropPolicy()
    ).record(connection)
    version = recording.saved.version.version
    DiffStore(store.database).put(
        "7", diff_snapshots(None, recording.snapshot, from_version=0, to_version=version)
    )
    store.documentation.replace("7", version, document_tables(recording.snapshot))
    Publisher(resources["qdrant"].schema_index, resources["ollama"].client, store.database).publish(
        connection, recording.snapshot, version
    )
    return shop


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the time by which attempts are counted forward."""
    now = [time.time()]
    monkeypatch.setattr(run_requests.time, "time", lambda: now[0])

    def forward(seconds: float) -> None:
        now[0] += seconds

    return forward


def found(daemon: Daemon, connection_id: str) -> list[str]:
    return [
        item.label
        for item in retrieve_tables(
            "customers",
            connection_id=connection_id,
            index=daemon.resources["qdrant"].schema_index,
            ollama=daemon.resources["ollama"].client,
        ).tables
    ]


def test_a_new_connection_gets_a_partition_and_an_import(
    daemon: Daemon, catalog: Any, shop: str
) -> None:
    catalog.add(7, "shop", shop)
    [request] = daemon.tick("new_connection_sensor").run_requests or ()
    assert {key.to_user_string() for key in request.asset_selection or ()} == {
        "schema/raw_schema_metadata",
        "schema/schema_documentation",
        "schema/schema_embeddings",
        "sync/schema_diff",
        "sync/updated_embeddings",
    }
    assert (request.partition_key, request.run_key) == ("shop", None)
    assert request.tags[CONNECTION_TAG] == "7"
    assert request.tags[TRIGGER_TAG] == "new_connection_sensor"
    assert daemon.partitions() == ["shop"]


def test_a_run_request_holds_no_secret(daemon: Daemon, catalog: Any, shop: str) -> None:
    catalog.add(7, "shop", shop)
    result = daemon.tick("new_connection_sensor")
    password = shop.partition("@")[0].rpartition(":")[2]
    assert password not in f"{result.run_requests}{result.cursor}"


def test_an_imported_connection_asks_for_nothing_more(daemon: Daemon, imported: str) -> None:
    assert "all that are active are imported" in daemon.reason("new_connection_sensor")


def test_a_second_connection_of_the_same_name_gets_a_partition_of_its_own(
    daemon: Daemon, catalog: Any, shop: str
) -> None:
    catalog.add(7, "shop", shop)
    catalog.add("0a8f6cbe-54b1-4c0e-8b0f-3d6f2a0c7a11", "shop", shop)
    assert sorted(daemon.requested("new_connection_sensor")) == ["shop", "shop-2"]
    assert daemon.partitions() == ["shop", "shop-2"]


def assert_taken_out(daemon: Daemon) -> None:
    assert found(daemon, "7") == []
    assert daemon.partitions() == []
    store = daemon.resources["metadata_store"]
    assert store.documentation.cards("7") == []
    assert store.snapshots.newest("7") is not None, "history stays"


def test_a_connection_that_is_paused_is_no_longer_found(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    assert found(daemon, "7") == ["public.customers"]
    catalog.rows[0]["is_active"] = False
    assert daemon.requested("new_connection_sensor") == []
    assert_taken_out(daemon)


def test_a_connection_is_taken_out_when_three_lists_in_a_row_lack_it(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.rows.clear()
    for _ in range(2):
        daemon.tick("new_connection_sensor")
        assert found(daemon, "7") == ["public.customers"]
    daemon.tick("new_connection_sensor")
    assert_taken_out(daemon)


def test_a_connection_whose_row_cannot_be_read_stays_as_it_is(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.rows[0]["connection_string"] = ""
    for _ in range(4):
        daemon.tick("new_connection_sensor")
    assert (daemon.partitions(), found(daemon, "7")) == (["shop"], ["public.customers"])


def test_an_index_that_is_ahead_of_the_told_changes_is_synced_again(
    daemon: Daemon, imported: str, clock: Callable[[float], None]
) -> None:
    clock(61)
    with daemon.resources["metadata_store"].database.begin() as transaction:
        transaction.execute(sa.delete(schema_diffs))
    assert daemon.requested("new_connection_sensor") == ["shop"]


def test_a_publication_that_was_cut_off_is_asked_for_again(
    daemon: Daemon, imported: str, clock: Callable[[float], None]
) -> None:
    clock(61)
    daemon.resources["metadata_store"].index_states.begin("7")
    assert daemon.requested("new_connection_sensor") == ["shop"]


def test_a_connection_that_is_in_use_keeps_its_partition_until_it_is_taken_out(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.rows[0]["is_active"] = False
    alias = daemon.resources["qdrant"].schema_index.alias
    with IndexLocks(daemon.resources["metadata_store"].database, alias).publishing("7"):
        daemon.tick("new_connection_sensor")
    assert daemon.partitions() == ["shop"]
    daemon.tick("new_connection_sensor")
    assert_taken_out(daemon)


def test_a_connection_that_is_active_again_is_imported_into_the_same_partition(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.rows[0]["is_active"] = False
    daemon.tick("new_connection_sensor")
    catalog.rows[0].update(is_active=True, database_name="renamed")
    assert daemon.requested("new_connection_sensor") == ["shop"]
    assert daemon.run("schema_import_job", "shop")
    assert found(daemon, "7") == ["public.customers"]


RUBBISH = [
    (500, None, "answered 500"),
    (200, b"<html>", "did not answer with JSON"),
    (200, b'{"connections": 3}', "without a list"),
]


@pytest.mark.parametrize("sensor", ["new_connection_sensor", "schema_change_sensor"])
def test_a_failing_api_is_a_reason_to_wait_and_takes_nothing_out(
    daemon: Daemon, catalog: Any, imported: str, sensor: str
) -> None:
    for status, answer, said in RUBBISH:
        catalog.status, catalog.answer = status, answer
        reason = daemon.reason(sensor)
        assert catalog.url in reason
        assert said in reason
    assert daemon.partitions() == ["shop"]
    assert found(daemon, "7") == ["public.customers"]


def test_an_api_that_is_down_is_a_reason_to_wait(daemon: Daemon) -> None:
    daemon.resources["catalog"] = CatalogResource(api_url="http://127.0.0.1:9", application_dsn="")
    reason = daemon.reason("new_connection_sensor")
    assert "http://127.0.0.1:9" in reason
    assert "TWD_API_URL" in reason


def test_a_connection_is_taken_out_at_the_next_tick_when_the_index_was_down(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.rows[0]["is_active"] = False
    running = daemon.resources["qdrant"]
    daemon.resources["qdrant"] = QdrantResource(url="http://127.0.0.1:9")
    assert "QDRANT_URL" in daemon.reason("new_connection_sensor")
    assert daemon.partitions() == ["shop"]
    daemon.resources["qdrant"] = running
    daemon.tick("new_connection_sensor")
    assert (daemon.partitions(), found(daemon, "7")) == ([], [])


def test_a_failing_import_is_requested_again_after_a_wait(
    daemon: Daemon, catalog: Any, clock: Callable[[float], None]
) -> None:
    catalog.add(7, "shop", "postgresql://u:p@127.0.0.1:9/shop")
    assert daemon.requested("new_connection_sensor") == ["shop"]
    assert not daemon.run("schema_import_job", "shop")
    clock(59)
    assert "wait for their next try: shop" in daemon.reason("new_connection_sensor")
    clock(1)
    assert daemon.requested("new_connection_sensor") == ["shop"]
    clock(119)
    assert daemon.requested("new_connection_sensor") == []
    clock(1)
    assert daemon.requested("new_connection_sensor") == ["shop"]


def test_a_corrected_connection_string_is_tried_at_once(
    daemon: Daemon, catalog: Any, shop: str, clock: Callable[[float], None]
) -> None:
    catalog.add(7, "shop", "postgresql://u:p@127.0.0.1:9/shop")
    daemon.tick("new_connection_sensor")
    assert daemon.requested("new_connection_sensor") == []
    catalog.rows[0]["connection_string"] = shop
    assert daemon.requested("new_connection_sensor") == ["shop"]


def test_an_unchanged_source_asks_for_no_sync(daemon: Daemon, imported: str) -> None:
    assert "1 sources asked: 0 changed" in daemon.reason("schema_change_sensor")


def test_a_schema_that_goes_to_and_fro_is_synced_each_time(
    daemon: Daemon, imported: str, execute: Callable[..., None]
) -> None:
    for change in ("add extra int", "drop extra", "add extra int", "drop extra"):
        execute(imported, f"alter table customers {change}")
        assert daemon.requested("schema_change_sensor") == ["shop"]
        assert daemon.run("schema_sync_job", "shop")
        assert daemon.requested("schema_change_sensor") == []


def test_a_failed_sync_is_requested_again_after_a_wait(
    daemon: Daemon,
    imported: str,
    execute: Callable[..., None],
    faults: Callable[..., None],
    clock: Callable[[float], None],
) -> None:
    execute(imported, "alter table customers add extra int")
    faults("ollama", {"path": "/api/embed", "status": 404})
    assert daemon.requested("schema_change_sensor") == ["shop"]
    assert not daemon.run("schema_sync_job", "shop")
    assert daemon.requested("schema_change_sensor") == []
    faults("ollama")
    clock(60)
    assert daemon.requested("schema_change_sensor") == ["shop"]
    assert daemon.run("schema_sync_job", "shop")
    assert daemon.requested("schema_change_sensor") == []


def test_a_dead_source_does_not_keep_another_from_its_sync(
    daemon: Daemon, catalog: Any, imported: str, services: Any, execute: Callable[..., None]
) -> None:
    other = services.database()
    execute(other, "create table items (id int)")
    catalog.add(8, "store", other)
    daemon.tick("new_connection_sensor")
    assert daemon.run("schema_import_job", "store")
    catalog.rows[0]["connection_string"] = "postgresql://u:canary@127.0.0.1:9/shop"
    execute(other, "alter table items add extra int")
    assert daemon.requested("schema_change_sensor") == ["store"]
    known = {
        item.partition_key: item for item in daemon.resources["metadata_store"].connections.known()
    }
    assert known["shop"].status == "failing"
    assert "127.0.0.1:9/shop cannot be reached" in known["shop"].status_reason
    assert "canary" not in known["shop"].status_reason
    assert found(daemon, "7") == ["public.customers"], "what was known of it stays"


def test_a_source_that_is_back_is_well_again(daemon: Daemon, catalog: Any, imported: str) -> None:
    catalog.rows[0]["connection_string"] = "postgresql://u:p@127.0.0.1:9/shop"
    daemon.tick("schema_change_sensor")
    catalog.rows[0]["connection_string"] = imported
    daemon.tick("schema_change_sensor")
    [known] = daemon.resources["metadata_store"].connections.known()
    assert (known.status, known.status_reason) == ("ok", "")


def test_the_schedule_syncs_each_imported_connection_once_a_tick(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.add(8, "never imported", "postgresql://u:p@127.0.0.1:9/x")
    daemon.tick("new_connection_sensor")
    schedule = daemon.location.resolve_schedule_def("schema_sync_schedule")
    with dg.build_schedule_context(
        instance=daemon.instance,
        resources=daemon.resources,
        scheduled_execution_time=datetime(2026, 5, 1, 6, tzinfo=UTC),
    ) as context:
        requests = schedule(context)
    assert isinstance(requests, list)
    assert [request.partition_key for request in requests] == ["shop"]


def test_checking_the_connections_tells_the_failing_from_the_well(
    daemon: Daemon, catalog: Any, imported: str
) -> None:
    catalog.add(8, "store", "postgresql://u:p@127.0.0.1:9/store")
    daemon.tick("new_connection_sensor")
    result = daemon.location.resolve_job_def("check_connections_job").execute_in_process(
        instance=daemon.instance
    )
    assert result.success
    known = daemon.resources["metadata_store"].connections.known()
    assert {item.partition_key: item.status for item in known} == {
        "shop": "ok",
        "store": "failing",
    }
