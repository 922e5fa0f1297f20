"""Declarative automation, tick by tick: a change runs what depends on it, a re-read does not."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from twd_schema.definitions import build_defs
from twd_shared.contract import (
    RAW_SCHEMA_METADATA,
    SCHEMA_DOCUMENTATION,
    SCHEMA_EMBEDDINGS,
    UPDATED_EMBEDDINGS,
    source_databases,
)
from twd_shared.settings import Settings

RAW = RAW_SCHEMA_METADATA.key
DOCUMENTATION = SCHEMA_DOCUMENTATION.key
EMBEDDINGS = SCHEMA_EMBEDDINGS.key
DIFF = dg.AssetKey(["sync", "schema_diff"])
UPDATED = UPDATED_EMBEDDINGS.key
ALL = (RAW, DOCUMENTATION, EMBEDDINGS, DIFF, UPDATED)


class Automation:
    """The conditions of the location, evaluated as the automation sensor does."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        # Deciding what to run asks no server.
        names = ("metadata_store", "application", "catalog", "source_database", "ollama", "qdrant")
        self.definitions = build_defs(
            Settings(), {name: dg.ResourceDefinition.none_resource() for name in names}
        )
        self._cursor: Any = None

    def tick(self) -> dict[dg.AssetKey, set[str]]:
        """Partitions requested now, by asset."""
        result = dg.evaluate_automation_conditions(
            defs=self.definitions, instance=self.instance, cursor=self._cursor
        )
        self._cursor = result.cursor
        requested = {key: set(result.get_requested_partitions(key)) for key in ALL}
        return {key: {str(p) for p in found} for key, found in requested.items() if found}

    def materialize(self, key: dg.AssetKey, version: str, partition: str = "shop") -> None:
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                key, partition=partition, tags={"dagster/data_version": version}
            )
        )


@pytest.fixture
def automation(instance: dg.DagsterInstance) -> Automation:
    """Two sources, imported and quiet."""
    instance.add_dynamic_partitions("source_databases", ["shop", "store"])
    made = Automation(instance)
    for key in ALL:
        for partition in ("shop", "store"):
            made.materialize(key, "1", partition)
    made.tick()
    return made


def test_nothing_is_requested_when_nothing_happens(automation: Automation) -> None:
    assert automation.tick() == {}


def test_a_reading_without_a_change_requests_nothing(automation: Automation) -> None:
    automation.materialize(RAW, "1")
    assert automation.tick() == {}


def test_a_changed_reading_requests_what_depends_on_it_for_that_source(
    automation: Automation,
) -> None:
    automation.materialize(RAW, "2")
    requested = automation.tick()
    assert {DOCUMENTATION, DIFF} <= requested.keys()
    assert RAW not in requested, "a source is read by its sensors, not by automation"
    assert all(partitions == {"shop"} for partitions in requested.values())


def test_a_change_is_requested_once(automation: Automation) -> None:
    automation.materialize(RAW, "2")
    assert automation.tick() != {}
    for key in (DOCUMENTATION, DIFF, UPDATED, EMBEDDINGS):
        automation.materialize(key, "2")
    assert automation.tick() == {}


def test_changed_documentation_alone_requests_what_writes_the_index_alone(
    automation: Automation,
) -> None:
    automation.materialize(DOCUMENTATION, "2")
    assert automation.tick() == {UPDATED: {"shop"}, EMBEDDINGS: {"shop"}}


def test_a_new_partition_requests_nothing_before_it_is_read(automation: Automation) -> None:
    automation.instance.add_dynamic_partitions("source_databases", ["new"])
    assert automation.tick() == {}


def test_every_check_has_a_result_for_each_source(automation: Automation) -> None:
    graph = automation.definitions.resolve_asset_graph()
    of_checks = {key: graph.get(key).partitions_def for key in graph.asset_check_keys}
    assert set(of_checks.values()) == {source_databases}


def test_every_sensor_and_schedule_runs_without_a_click() -> None:
    names = ("metadata_store", "application", "catalog", "source_database", "ollama", "qdrant")
    definitions = build_defs(
        Settings(automation_seconds=5),
        {name: dg.ResourceDefinition.none_resource() for name in names},
    )
    sensors = {item.name: item for item in definitions.sensors or ()}
    assert set(sensors) == {
        "index_layout_sensor",
        "new_connection_sensor",
        "schema_change_sensor",
        "run_failure_alert_sensor",
        "run_recovery_sensor",
        "alert_delivery_sensor",
        "schema_automation_sensor",
    }
    assert {item.default_status for item in sensors.values()} == {dg.DefaultSensorStatus.RUNNING}
    schedules = {str(item.name): item for item in definitions.schedules or ()}  # pyright: ignore[reportAttributeAccessIssue]
    assert set(schedules) == {
        "schema_sync_schedule",
        "schema_verification_schedule",
        "run_retention_schedule",
    }
    assert {item.default_status for item in schedules.values()} == {  # pyright: ignore[reportAttributeAccessIssue]
        dg.DefaultScheduleStatus.RUNNING
    }
    assert sensors["schema_automation_sensor"].minimum_interval_seconds == 5
