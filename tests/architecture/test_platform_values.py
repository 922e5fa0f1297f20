"""A cluster's instance says what dagster.yaml says, but for what is of the place."""

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
    additional = VALUES["additionalInstanceConfig"].items()
    return {name: daemon[name] for name in sections} | {
        name: section for name, section in additional if name not in OF_THE_PLACE
    }


def test_sections_are_those_of_one_machine() -> None:
    assert cluster() == {k: v for k, v in INSTANCE.items() if k not in OF_THE_PLACE}
    assert snake(VALUES["retention"]) == {"enabled": True, **INSTANCE["retention"]}
    assert VALUES["telemetry"] == INSTANCE["telemetry"]


def test_the_queue_differs_in_its_limit_alone() -> None:
    coordinator = VALUES["dagsterDaemon"]["runCoordinator"]
    of_cluster = dict(coordinator["config"]["customRunCoordinator"])
    of_machine = INSTANCE["run_coordinator"]
    limit = of_cluster["config"]["max_concurrent_runs"]
    assert limit > 0
    assert of_cluster == of_machine | {
        "config": of_machine["config"] | {"max_concurrent_runs": limit}
    }
