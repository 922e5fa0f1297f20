"""Which changes of other locations' assets request which assets here, tick by tick."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from twd_shared.contract import (
    RAW_SCHEMA_METADATA,
    SCHEMA_DOCUMENTATION,
    SCHEMA_EMBEDDINGS,
    TRAINED_MODEL,
    UPDATED_EMBEDDINGS,
    source_databases,
)
from twd_shared.resources.defaults import default_resources
from twd_shared.resources.sources import SourceAccessResource
from twd_shared.settings import Settings
from twd_training.definitions import build_defs
from twd_training.defs.assets import (
    MODEL_EVALUATION_KEY,
    PROMOTION_CHECK,
    RECALL_CHECK,
    TRAINING_EXAMPLES_KEY,
)

UPSTREAM = (RAW_SCHEMA_METADATA, SCHEMA_DOCUMENTATION, SCHEMA_EMBEDDINGS, UPDATED_EMBEDDINGS)
# Each after its inputs, as a run writes them.
IN_ORDER = (TRAINING_EXAMPLES_KEY, TRAINED_MODEL.key, MODEL_EVALUATION_KEY)
ALL = {*IN_ORDER}


class Ticks:
    """Ticks of the automation sensor over two partitions, with materializations in between."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        resources = default_resources({"TWD_METADATA_DSN": "x", "TWD_APPLICATION_DSN": "x"})
        self.definitions = build_defs(
            Settings(), {**resources, "source_access": SourceAccessResource()}
        )
        self._instance = instance
        self._cursor = None

    def materialize(self, key: dg.AssetKey, version: str, partition: str = "shop") -> None:
        self._instance.report_runless_asset_event(
            dg.AssetMaterialization(
                key, partition=partition, tags={"dagster/data_version": version}
            )
        )

    def tick(self) -> dict[str, set[dg.AssetKey]]:
        """The requested assets by partition."""
        result = dg.evaluate_automation_conditions(
            self.definitions, self._instance, cursor=self._cursor
        )
        self._cursor = result.cursor
        requested: dict[str, set[dg.AssetKey]] = {}
        for key in ALL:
            for partition in result.get_requested_partitions(key):
                assert partition is not None
                requested.setdefault(partition, set()).add(key)
        return requested


@pytest.fixture
def ticks() -> Iterator[Ticks]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(source_databases.name), ["shop", "other"])
        yield Ticks(instance)


def trained(ticks: Ticks) -> None:
    assert ticks.tick() == {}
    for asset in UPSTREAM:
        ticks.materialize(asset.key, "1")
    assert ticks.tick() == {"shop": ALL}
    for key in IN_ORDER:
        ticks.materialize(key, "1")
    assert ticks.tick() == {}


def test_nothing_is_requested_before_the_schema_was_read(ticks: Ticks) -> None:
    assert ticks.tick() == {}
    assert ticks.tick() == {}


def test_the_training_set_does_not_wait_for_the_index_but_the_model_does(ticks: Ticks) -> None:
    ticks.tick()
    ticks.materialize(RAW_SCHEMA_METADATA.key, "1")
    assert ticks.tick() == {"shop": {TRAINING_EXAMPLES_KEY}}
    ticks.materialize(TRAINING_EXAMPLES_KEY, "1")
    assert ticks.tick() == {}
    for asset in UPSTREAM[1:]:
        ticks.materialize(asset.key, "1")
    assert ticks.tick() == {"shop": {TRAINED_MODEL.key, MODEL_EVALUATION_KEY}}


def test_only_the_connection_that_was_read_is_trained(ticks: Ticks) -> None:
    trained(ticks)


def test_the_same_data_version_again_requests_nothing(ticks: Ticks) -> None:
    trained(ticks)
    for asset in UPSTREAM:
        ticks.materialize(asset.key, "1")
    assert ticks.tick() == {}
    assert ticks.tick() == {}


def test_a_changed_schema_requests_everything_that_stands_on_it(ticks: Ticks) -> None:
    trained(ticks)
    for asset in UPSTREAM:
        ticks.materialize(asset.key, "2")
    assert ticks.tick() == {"shop": ALL}


def test_changed_documentation_requests_the_model_alone(ticks: Ticks) -> None:
    trained(ticks)
    ticks.materialize(SCHEMA_DOCUMENTATION.key, "2")
    assert TRAINING_EXAMPLES_KEY not in ticks.tick()["shop"]


def test_changed_examples_request_the_model(ticks: Ticks) -> None:
    trained(ticks)
    ticks.materialize(TRAINING_EXAMPLES_KEY, "2")
    assert TRAINED_MODEL.key in ticks.tick()["shop"]


def test_what_a_person_has_served_is_evaluated_and_not_trained_again(ticks: Ticks) -> None:
    trained(ticks)
    ticks.materialize(TRAINED_MODEL.key, "another that was kept")
    assert ticks.tick() == {"shop": {MODEL_EVALUATION_KEY}}
    ticks.materialize(MODEL_EVALUATION_KEY, "2")
    assert ticks.tick() == {}


def test_each_check_has_a_result_for_each_source(ticks: Ticks) -> None:
    graph = ticks.definitions.resolve_asset_graph()
    checks = {
        dg.AssetCheckKey(TRAINED_MODEL.key, PROMOTION_CHECK),
        dg.AssetCheckKey(MODEL_EVALUATION_KEY, RECALL_CHECK),
    }
    assert graph.asset_check_keys == checks
    assert {graph.get(check).partitions_def for check in checks} == {source_databases}
