"""What Dagster is told when a person decides which version of a knowledge base is served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from twd_shared.contract import TRAINED_MODEL, source_databases
from twd_training.defs.assets import PROMOTION_CHECK
from twd_training.model_command import main

from .conftest import Location
from .test_training_assets import run

pytestmark = pytest.mark.integration

CHECK = dg.AssetCheckKey(TRAINED_MODEL.key, PROMOTION_CHECK)


@pytest.fixture
def dagster_home(
    location: Location, services: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """An instance that the command finds by DAGSTER_HOME, after two trainings."""
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    for name, value in (
        ("DAGSTER_HOME", str(tmp_path)),
        ("TWD_METADATA_DSN", location.store.dsn),
        ("QDRANT_URL", services.qdrant),
    ):
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(str(source_databases.name), [location.key])
        assert run(location, instance).success
        location.teach("Customers buy.")
        assert run(location, instance).success
        yield instance


def tags(instance: dg.DagsterInstance) -> list[Mapping[str, str]]:
    """Of the materializations of the trained model, the newest first."""
    records = instance.fetch_materializations(TRAINED_MODEL.key, 10).records
    return [(one.asset_materialization and one.asset_materialization.tags) or {} for one in records]


def newest_check(instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([CHECK])[CHECK]
    assert record.event is not None
    evaluation = record.event.get_dagster_event().event_specific_data
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    return evaluation


def status_by_source(instance: dg.DagsterInstance) -> dict[str | None, str]:
    """What Dagster says of the check for each source that it was made of."""
    kept = instance.event_log_storage.get_asset_check_partition_info([CHECK])
    return {one.partition_key: one.latest_execution_status.value for one in kept}


def test_what_a_person_has_served_is_the_newest_data_version(
    dagster_home: dg.DagsterInstance, location: Location
) -> None:
    version = "dagster/data_version"
    second, first = tags(dagster_home)
    assert main(["rollback", location.key]) == 0
    assert tags(dagster_home)[0][version] == first[version] != second[version]
    assert main(["promote", location.key]) == 0
    assert tags(dagster_home)[0][version] == second[version]


def test_a_decision_knows_no_newer_inputs_than_the_training_before_it(
    dagster_home: dg.DagsterInstance, location: Location
) -> None:
    def inputs(of: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in of.items() if name.startswith("dagster/input_")}

    trained = inputs(tags(dagster_home)[0])
    assert main(["rollback", location.key]) == 0
    assert inputs(tags(dagster_home)[0]) == trained != {}


def test_the_check_of_what_is_served_follows_the_decision(
    dagster_home: dg.DagsterInstance, location: Location
) -> None:
    assert newest_check(dagster_home).passed
    assert main(["rollback", location.key]) == 0
    held = newest_check(dagster_home)
    assert (held.passed, held.metadata["held_version"].value) == (False, 2)
    assert status_by_source(dagster_home) == {location.key: "FAILED"}
    assert main(["promote", location.key]) == 0
    assert newest_check(dagster_home).passed
    assert status_by_source(dagster_home) == {location.key: "SUCCEEDED"}


def test_the_check_follows_a_decision_over_what_dagster_keeps_no_run_of(
    dagster_home: dg.DagsterInstance, location: Location
) -> None:
    for run_id in dagster_home.get_run_ids():
        dagster_home.delete_run(run_id)
    dagster_home.wipe_assets([TRAINED_MODEL.key])
    for decision, said in (("rollback", "FAILED"), ("promote", "SUCCEEDED")) * 2:
        assert main([decision, location.key]) == 0
        assert status_by_source(dagster_home) == {location.key: said}


def test_a_decision_that_was_taken_before_tells_nothing(
    dagster_home: dg.DagsterInstance, location: Location
) -> None:
    assert main(["rollback", location.key]) == 0
    told = len(tags(dagster_home))
    assert main(["rollback", location.key]) == 0
    assert len(tags(dagster_home)) == told
