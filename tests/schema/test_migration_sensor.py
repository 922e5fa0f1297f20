"""After an upgrade: an index that this release cannot use is replaced without being asked to."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from twd_schema.definitions import build_defs
from twd_schema.defs import migration_sensor
from twd_shared.clients.index_collections import models
from twd_shared.resources.servers import QdrantResource
from twd_shared.settings import Settings

from .index_shop import SIX, Shop

_RESOURCES = (
    "metadata_store",
    "application",
    "catalog",
    "source_database",
    "ollama",
    "qdrant",
)


@pytest.fixture
def shop(resources: dict[str, Any]) -> Shop:
    """Six tables were read; nothing is served."""
    made = Shop(resources)
    made.read(*SIX)
    return made


@pytest.fixture
def old_index(shop: Shop) -> str:
    """What the release before served: one vector without a name, and no metadata."""
    name = f"{shop.index.alias}__twd-lexical__768"
    shop.resources["qdrant"].client.create_collection(
        name, vectors_config=models.VectorParams(size=768, distance=models.Distance.COSINE)
    )
    shop.index.serve(name)
    return name


class Ticks:
    """Ticks the sensor and runs what it requests."""

    def __init__(
        self, location: dg.Definitions, instance: dg.DagsterInstance, resources: dict[str, Any]
    ) -> None:
        self.location, self.instance, self.resources = location, instance, resources
        # Without resources: each tick brings them.
        repository = build_defs(Settings(), dict.fromkeys(_RESOURCES)).get_repository_def()
        self.sensor = repository.get_sensor_def(migration_sensor.NAME)

    def tick(self) -> dg.RunRequest | str:
        """The request, or why there is none."""
        sensor = self.sensor
        with dg.build_sensor_context(
            instance=self.instance, resources={"qdrant": self.resources["qdrant"]}
        ) as context:
            result = sensor(context)
        if isinstance(result, dg.SkipReason):
            return result.skip_message or ""
        assert isinstance(result, dg.RunRequest)
        return result

    def run(self, request: dg.RunRequest | str) -> bool:
        assert isinstance(request, dg.RunRequest)
        job = self.location.get_job_def("index_migration_job")
        return job.execute_in_process(
            instance=self.instance, tags=request.tags, raise_on_error=False
        ).success


@pytest.fixture
def ticks(location: dg.Definitions, instance: dg.DagsterInstance, shop: Shop) -> Ticks:
    return Ticks(location, instance, shop.resources)


@pytest.mark.usefixtures("old_index")
def test_an_index_of_the_release_before_is_replaced_and_then_works(
    ticks: Ticks, shop: Shop
) -> None:
    assert ticks.run(ticks.tick())
    assert shop.publish(*SIX).points.unchanged == 6
    assert shop.find("films")[0] == "films"
    assert "of this release" in str(ticks.tick())


def test_an_index_of_another_layout_is_replaced(
    ticks: Ticks, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(*SIX)
    monkeypatch.setattr("twd_schema.indexing.outdated.LAYOUT", "9.9")
    request = ticks.tick()
    assert isinstance(request, dg.RunRequest)
    assert "to layout 9.9" in str(request.run_key)


def test_an_index_of_this_release_and_none_at_all_are_left_alone(ticks: Ticks, shop: Shop) -> None:
    assert "of this release, or new" in str(ticks.tick())
    shop.publish(*SIX)
    assert "of this release, or new" in str(ticks.tick())


@pytest.mark.usefixtures("old_index")
def test_a_failed_run_is_tried_again_after_a_wait_and_three_times_at_most(
    ticks: Ticks, shop: Shop, monkeypatch: pytest.MonkeyPatch, faults: Any
) -> None:
    faults("ollama", {"path": "/api/embed", "status": 400})
    keys: list[Any] = []
    for _ in range(3):
        request = ticks.tick()
        assert not ticks.run(request)
        assert isinstance(request, dg.RunRequest)
        keys.append(request.run_key)
        if len(keys) == 1:
            assert "waits for its next try" in str(ticks.tick())
            monkeypatch.setattr(migration_sensor, "_WAIT_SECONDS", 0.0)
    # Dagster drops a request whose key it has seen.
    assert len(set(keys)) == 3
    assert "failed 3 times" in str(ticks.tick())


@pytest.mark.usefixtures("old_index")
def test_a_run_that_is_going_on_is_not_joined_by_another(
    ticks: Ticks, location: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    instance.create_run_for_job(
        location.get_job_def("index_migration_job"), status=dg.DagsterRunStatus.STARTED
    )
    assert "going on already" in str(ticks.tick())


def test_an_index_that_was_put_back_by_hand_is_not_replaced_again(
    ticks: Ticks, shop: Shop, old_index: str
) -> None:
    ticks.run(ticks.tick())
    shop.index.serve(old_index)
    assert "put back" in str(ticks.tick())


def test_a_server_that_is_away_is_told(ticks: Ticks) -> None:
    ticks.resources["qdrant"] = QdrantResource(url="http://127.0.0.1:9", collection_name="x")
    assert "QDRANT_URL" in str(ticks.tick())
