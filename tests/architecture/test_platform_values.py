"""A cluster's instance says what dagster.yaml says, but for what the chart cannot say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
VALUES = yaml.safe_load((ROOT / "deploy/helm/values-platform.yaml").read_text())
INSTANCE = yaml.safe_load((ROOT / "dagster.yaml").read_text())

# A pod has a launcher, storage and logs of its own; the limit of runs is a number in a cluster.
OF_THE_PLACE = {
    "storage",
    "run_launcher",
    "compute_logs",
    "local_artifact_storage",
    "run_coordinator",
    "telemetry",
    "retention",
}


def snake(value: Any) -> Any:
    """A value of the chart as dagster.yaml spells it."""
    if not isinstance(value, dict):
        return value
    return {re.sub("[A-Z]", lambda m: "_" + m[0].lower(), k): snake(v) for k, v in value.items()}


def cluster() -> dict[str, Any]:
    """The sections of dagster.yaml that the chart writes."""
    daemon = snake(VALUES["dagsterDaemon"])
    sections = ("run_monitoring", "run_retries", "sensors", "schedules")
    return {name: daemon[name] for name in sections} | VALUES["additionalInstanceConfig"]


def test_sections_are_those_of_one_machine() -> None:
    assert cluster() == {k: v for k, v in INSTANCE.items() if k not in OF_THE_PLACE}
    assert snake(VALUES["retention"]) == {"enabled": True, **INSTANCE["retention"]}
    assert VALUES["telemetry"] == INSTANCE["telemetry"]


def test_the_queue_differs_only_in_what_the_file_says_it_does() -> None:
    coordinator = VALUES["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    of_cluster, of_machine = snake(coordinator), dict(INSTANCE["run_coordinator"]["config"])
    said = (ROOT / "deploy/helm/values-platform.yaml").read_text().partition("\nglobal:")[0]
    for name in of_machine.keys() - of_cluster.keys():
        assert name in said
        del of_machine[name]
    del of_cluster["block_op_concurrency_limited_runs"]["op_concurrency_slot_buffer"]
    assert of_cluster.pop("max_concurrent_runs") > 0
    assert of_machine.pop("max_concurrent_runs") == {"env": "TWD_MAX_CONCURRENT_RUNS"}
    assert of_cluster == of_machine
