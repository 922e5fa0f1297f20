"""Everything that reads a source takes one of its host's places first."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from twd_schema.definitions import build_defs
from twd_schema.defs.resources import SourceDatabaseResource
from twd_schema.drift.detection import DetectionLimits, Detector
from twd_schema.extraction.reading import SchemaReader
from twd_schema.history.recording import DropPolicy, SnapshotRecorder
from twd_shared.clients.catalog import Connection
from twd_shared.errors import SourceBusy
from twd_shared.resources.stores import MetadataStoreResource
from twd_shared.schema_model.models import Snapshot
from twd_shared.settings import Settings
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.host_readings import HostReadings


@pytest.fixture
def store(metadata_dsn: str) -> Iterator[MetadataStoreResource]:
    made = MetadataStoreResource(dsn=metadata_dsn)
    yield made
    made.database.close()


def host_of(dsn: str) -> str:
    url = sa.make_url(dsn)
    return f"{url.host}:{url.port}"


def has_place(database: MetadataDatabase, host: str, most: int) -> bool:
    async def try_it() -> bool:
        try:
            place = await HostReadings(database, most, 0).take("connection 1", host)
        except SourceBusy:
            return False
        place.give_back()
        return True

    return asyncio.run(try_it())


def impatient(database: MetadataDatabase) -> SchemaReader:
    return SchemaReader(
        frozenset({"postgresql"}),
        ReadLimits(),
        reach_policy("loopback", ""),
        HostReadings(database, 1, 0),
    )


def never_asked(connection_id: str) -> Snapshot:
    raise AssertionError(connection_id)


def test_an_import_holds_a_place_of_its_host_while_it_reads(
    instance: dg.DagsterInstance,
    resources: dict[str, Any],
    catalog: Any,
    store: MetadataStoreResource,
) -> None:
    source_database = SourceDatabaseResource(hosts="loopback", host_readings=1)
    location = build_defs(
        Settings(run_max_retries=0), {**resources, "source_database": source_database}
    )
    # A server that accepts and says nothing: the reading goes on until the test ends it.
    silent = socket.create_server(("127.0.0.1", 0))
    host = f"127.0.0.1:{silent.getsockname()[1]}"
    catalog.add(7, "shop", f"postgresql://reader@{host}/shop")
    store.connections.register(resources["catalog"].catalog.listing().connections)
    instance.add_dynamic_partitions("source_databases", ["shop"])
    job = location.resolve_job_def("schema_import_job")
    with ThreadPoolExecutor(1) as threads:
        importing = threads.submit(
            job.execute_in_process, instance=instance, partition_key="shop", raise_on_error=False
        )
        session, _ = silent.accept()
        is_free_meanwhile = has_place(store.database, host, 1)
        silent.close()
        session.close()
        assert not importing.result().success
    assert not is_free_meanwhile
    assert has_place(store.database, host, 1), "the place of a reading that failed is free"


@pytest.fixture
def busy(store: MetadataStoreResource, metadata_dsn: str) -> Iterator[Connection]:
    """A registered source, on the server of the metadata database, whose one place is held."""
    other = MetadataDatabase(metadata_dsn)
    held = asyncio.run(HostReadings(other, 1, 0).take("connection 1", host_of(metadata_dsn)))
    connection = Connection("7", "shop", "postgresql", True, metadata_dsn)
    store.connections.register([connection])
    yield connection
    held.give_back()
    other.close()


def test_a_busy_host_is_not_written_down_as_a_source_that_fails(
    store: MetadataStoreResource, busy: Connection
) -> None:
    recorder = SnapshotRecorder(
        impatient(store.database), store.snapshots, store.connections, DropPolicy()
    )
    with pytest.raises(SourceBusy):
        recorder.record(busy)
    assert store.connections.known()[0].status != "failing"


def test_the_sensor_says_nothing_of_a_source_whose_host_is_busy(
    store: MetadataStoreResource, busy: Connection
) -> None:
    detector = Detector(impatient(store.database), never_asked, "secret")
    assert detector.ask([busy], {}) == {}


@pytest.mark.parametrize(("places", "of_the_sensor"), [(12, 8), (3, 2), (1, 1)])
def test_the_sensor_leaves_places_to_runs(places: int, of_the_sensor: int) -> None:
    assert DetectionLimits.beside_runs(places).at_once_per_host == of_the_sensor


def test_the_sensor_asks_sources_on_other_hosts_meanwhile(
    store: MetadataStoreResource,
    busy: Connection,
    services: Any,
    execute: Callable[..., None],
) -> None:
    dsn = services.database()
    execute(dsn, "create table film (id int)")
    elsewhere = sa.make_url(dsn).set(host="localhost").render_as_string(hide_password=False)
    other = Connection("8", "films", "postgresql", True, elsewhere)
    detector = Detector(impatient(store.database), never_asked, "secret")
    answers = detector.ask([busy, other], {})
    assert {key: answer.error for key, answer in answers.items()} == {"8": ""}
