"""Dagster's daemon, tick by tick, on real servers, with a source that is imported."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from twd_schema.definitions import build_defs
from twd_schema.documentation.cards import Cards
from twd_schema.drift.diff import diff_snapshots
from twd_schema.drift.store import DiffStore
from twd_schema.history.recording import DropPolicy, SnapshotRecorder
from twd_schema.indexing.publication import Publisher
from twd_shared import run_requests
from twd_shared.retrieval.search import retrieve_tables
from twd_shared.settings import Settings

PARTITIONS = "source_databases"
RESOURCES = (
    "metadata_store",
    "application",
    "catalog",
    "source_database",
    "ollama",
    "qdrant",
)


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
    reader = resources["source_database"].reader(store.database)
    recording = SnapshotRecorder(reader, store.snapshots, store.connections, DropPolicy()).record(
        connection
    )
    version = recording.saved.version.version
    DiffStore(store.database).put(
        "7", diff_snapshots(None, recording.snapshot, from_version=0, to_version=version)
    )
    cards = Cards(recording.snapshot, {})
    store.documentation.replace("7", version, cards.fingerprints, cards.of)
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
