"""The border between the locations: every shared asset is made by its owner and by nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from twd_shared.contract import LOCATIONS, external_specs, owner_of
from twd_shared.settings import VARIABLES

from .released_contract import SHARED_ASSETS

ROOT = Path(__file__).parents[2]

DESCRIBE = """
import importlib, json, sys
location = sys.argv[1]
module = importlib.import_module(f"twd_{location}.definitions")
definitions = module.defs()
graph = definitions.resolve_asset_graph()
repository = definitions.get_repository_def()
print(json.dumps({
    "assets": {
        key.to_user_string(): {
            "made": graph.get(key).is_materializable,
            "partitions": getattr(graph.get(key).partitions_def, "name", None),
            "condition": graph.get(key).automation_condition is not None,
            "owners": list(graph.get(key).owners),
            "group": graph.get(key).group_name,
            "kinds": sorted(graph.get(key).kinds),
            "description": graph.get(key).description or "",
            "columns": "dagster/column_schema" in graph.get(key).metadata,
            "parents": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
        }
        for key in graph.get_all_asset_keys()
    },
    "jobs": {
        job.name: {
            "hooks": sorted(hook.name for hook in job.hook_defs),
            "executor": job.executor_def.name,
        }
        for job in repository.get_all_jobs()
    },
    "sensors": sorted(item.name for item in repository.sensor_defs),
    "schedules": sorted(item.name for item in repository.schedule_defs),
    "retries": sorted(
        definition.key.to_user_string()
        for definition in graph.assets_defs
        if definition.is_executable and definition.op.retry_policy is not None
    ),
}))
"""

# Every required variable has a value that no connection can be made with.
NOWHERE = {
    item.name: item.default if item.default is not None else "postgresql://nobody@127.0.0.1:9/none"
    for item in VARIABLES
}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """What each location defines, loaded in its own environment, all three at once."""
    started = {}
    for location in LOCATIONS:
        own = ROOT / "locations" / location / ".venv/bin/python"
        sources = ("libs/twd_shared/src", f"locations/{location}/src")
        started[location] = subprocess.Popen(
            [own if own.exists() else sys.executable, "-c", DESCRIBE, location],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={
                **os.environ,
                **NOWHERE,
                "PYTHONPATH": os.pathsep.join(str(ROOT / item) for item in sources),
            },
        )
    told = {location: process.communicate() for location, process in started.items()}
    for location, (_, errors) in told.items():
        assert started[location].returncode == 0, f"{location} does not load:\n{errors}"
    return {location: json.loads(output.splitlines()[-1]) for location, (output, _) in told.items()}


def made(described: dict[str, Any]) -> dict[str, str]:
    """Location by key of the assets that it materializes."""
    return {
        key: location
        for location, found in described.items()
        for key, asset in found["assets"].items()
        if asset["made"]
    }


def test_every_shared_asset_is_made_by_its_owner_and_by_nobody_else(
    described: dict[str, Any],
) -> None:
    for shared in SHARED_ASSETS:
        key = shared.key.to_user_string()
        makers = [
            location
            for location, found in described.items()
            if found["assets"].get(key, {"made": False})["made"]
        ]
        assert makers == [shared.owner], key


def test_no_asset_is_made_by_two_locations(described: dict[str, Any]) -> None:
    all_made = [
        key
        for found in described.values()
        for key, asset in found["assets"].items()
        if asset["made"]
    ]
    assert len(all_made) == len(set(all_made))


def test_what_one_location_takes_from_another_is_in_the_contract(
    described: dict[str, Any],
) -> None:
    makers = made(described)
    shared = {item.key.to_user_string() for item in SHARED_ASSETS}
    for location, found in described.items():
        foreign = {key for key in found["assets"] if makers.get(key, location) != location}
        assert foreign <= shared, f"{location} names assets that are not in the contract"


def test_a_waiting_location_declares_partitions_and_no_condition(
    described: dict[str, Any],
) -> None:
    for location, found in described.items():
        for shared in SHARED_ASSETS:
            asset = found["assets"].get(shared.key.to_user_string())
            if asset is None or shared.owner == location:
                continue
            assert asset["partitions"] == "source_databases"
            assert not asset["condition"]
            assert asset["owners"] == [owner_of(shared.owner)]


def test_an_owner_gives_a_shared_asset_the_partitions_of_the_contract(
    described: dict[str, Any],
) -> None:
    for shared in SHARED_ASSETS:
        asset = described[shared.owner]["assets"][shared.key.to_user_string()]
        assert asset["partitions"] == "source_databases"


def test_the_frozen_names_are_all_there(described: dict[str, Any]) -> None:
    assert made(described) == {
        "schema/raw_schema_metadata": "schema",
        "schema/schema_documentation": "schema",
        "schema/schema_embeddings": "schema",
        "sync/schema_diff": "schema",
        "sync/updated_embeddings": "schema",
        "training/training_examples": "training",
        "training/trained_model": "training",
        "training/model_evaluation": "training",
        "analytics/daily_query_stats": "analytics",
        "analytics/sql_accuracy_report": "analytics",
    }
    jobs = {name for found in described.values() for name in found["jobs"]}
    assert {"schema_import_job", "schema_sync_job", "training_job", "analytics_job"} <= jobs
    for location in LOCATIONS:
        assert f"{location}_automation_sensor" in described[location]["sensors"]
    assert "schema_sync_schedule" in described["schema"]["schedules"]
    assert "daily_analytics_schedule" in described["analytics"]["schedules"]


def test_lineage_is_one_graph_from_sources_to_the_report(described: dict[str, Any]) -> None:
    parents: dict[str, set[str]] = {}
    for found in described.values():
        for key, asset in found["assets"].items():
            parents.setdefault(key, set()).update(asset["parents"])
    reached, waiting = set(), ["analytics/sql_accuracy_report"]
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting += parents[key]
    assert {"source/database", "training/trained_model", "schema/raw_schema_metadata"} <= reached


def test_every_asset_that_is_made_tells_people_what_it_is(described: dict[str, Any]) -> None:
    for location, found in described.items():
        for key, asset in found["assets"].items():
            if not asset["made"]:
                continue
            assert asset["owners"] == [owner_of(location)], key
            assert len(asset["description"]) > 20, key
            assert 1 <= len(asset["kinds"]) <= 3, key
            assert asset["columns"], f"{key} shows no column schema"
            assert key in found["retries"], f"{key} has no retry policy"


def test_every_job_alerts_when_it_fails_and_logs_when_it_succeeds(
    described: dict[str, Any],
) -> None:
    for found in described.values():
        for name, job in found["jobs"].items():
            if not name.startswith("__"):
                assert job["hooks"] == ["failure_alert_hook", "success_log_hook"], name


def test_every_job_runs_its_steps_in_one_process(described: dict[str, Any]) -> None:
    jobs = [job for found in described.values() for job in found["jobs"].values()]
    assert {job["executor"] for job in jobs} == {"in_process"}


def test_an_external_spec_carries_the_partitions() -> None:
    assert {spec.partitions_def.name for spec in external_specs(SHARED_ASSETS)} == {
        "source_databases"
    }
