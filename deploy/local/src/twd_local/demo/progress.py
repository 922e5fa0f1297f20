"""How far each connection is: asked of Dagster and the registry, and of nothing else."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from twd_local.dagster_api import SOURCE_ASSETS, DagsterApi
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import connections

# Nothing has changed yet: there is nothing to sync.
ASSETS = tuple(asset for asset in SOURCE_ASSETS if not asset.startswith("sync/"))

_STATES = """
query ($keys: [AssetKeyInput!], $partitions: [String!]) {
  assetNodes(assetKeys: $keys) {
    assetKey { path }
    isMaterializable
    assetPartitionStatuses {
      ... on DefaultPartitionStatuses { failedPartitions materializingPartitions }
    }
    latestMaterializationByPartition(partitions: $partitions) {
      partition
      timestamp
      metadataEntries { label ... on IntMetadataEntry { intValue } }
    }
  }
}
"""

_FAILED_RUNS = """
query ($after: Float!) {
  runsOrError(filter: {statuses: [FAILURE], createdAfter: $after}) {
    ... on Runs { results { runId jobName tags { key value } } }
  }
}
"""

_FAILURE_EVENTS = """
query ($run: ID!) {
  logsForRun(runId: $run) {
    ... on EventConnection {
      events {
        ... on ExecutionStepFailureEvent { error { message errorChain { error { message } } } }
        ... on RunFailureEvent { error { message } }
      }
    }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A connection in the registry: its partition, when it was first seen, and how it is."""

    partition: str
    first_seen: float
    problem: str


@dataclass(frozen=True, slots=True)
class AssetState:
    """One asset of one connection; `done_at` is the time of its newest materialization."""

    state: str
    done_at: float | None = None
    numbers: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that failed and will not be tried again."""

    run_id: str
    job: str
    partition: str
    reason: str


def known_connections(database: MetadataDatabase, ids: Sequence[int]) -> dict[int, Known]:
    """What the registry says about the connections with these ids of the application."""
    query = sa.select(
        connections.c.connection_id,
        connections.c.partition_key,
        connections.c.first_seen_at,
        connections.c.status,
        connections.c.status_reason,
    ).where(connections.c.connection_id.in_([str(identifier) for identifier in ids]))
    with database.begin() as transaction:
        rows = transaction.execute(query).all()
    return {
        int(row.connection_id): Known(
            row.partition_key,
            row.first_seen_at.timestamp(),
            row.status_reason if row.status == "failing" else "",
        )
        for row in rows
    }


def asset_states(api: DagsterApi, partitions: Sequence[str]) -> dict[tuple[str, str], AssetState]:
    """(partition, asset) → state, for every partition of `partitions` and every asset shown."""
    keys = [{"path": asset.split("/")} for asset in ASSETS]
    nodes = api.ask(_STATES, keys=keys, partitions=list(partitions))["assetNodes"]
    states: dict[tuple[str, str], AssetState] = {
        (partition, asset): AssetState("waiting") for partition in partitions for asset in ASSETS
    }
    for node in nodes:
        asset = "/".join(node["assetKey"]["path"])
        if node["isMaterializable"]:
            for partition in partitions:
                states[partition, asset] = _state(node, partition)
    return states


def _state(node: dict[str, Any], partition: str) -> AssetState:
    statuses = node["assetPartitionStatuses"]
    newest = next(
        (
            event
            for event in node["latestMaterializationByPartition"]
            if event and event["partition"] == partition
        ),
        None,
    )
    done_at = float(newest["timestamp"]) / 1000 if newest else None
    if partition in (statuses.get("materializingPartitions") or ()):
        return AssetState("running", done_at)
    if partition in (statuses.get("failedPartitions") or ()):
        return AssetState("failed", done_at)
    if newest is None:
        return AssetState("waiting")
    numbers = {
        entry["label"]: entry["intValue"]
        for entry in newest["metadataEntries"]
        if entry.get("intValue") is not None
    }
    return AssetState("done", done_at, numbers)


def failed_run(api: DagsterApi, after: float, partitions: Collection[str]) -> FailedRun | None:
    """A run for one of `partitions` that was created after the time `after` and failed for good.

    A run that will be tried again does not count.
    """
    for run in api.ask(_FAILED_RUNS, after=after)["runsOrError"].get("results", []):
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        partition = tags.get("dagster/partition", "")
        if partition in partitions and tags.get("dagster/will_retry") != "true":
            reason = failure_reason(api, run["runId"])
            return FailedRun(run["runId"], run["jobName"], partition, reason)
    return None


def failure_reason(api: DagsterApi, run_id: str) -> str:
    """The first line of the error that ended the run `run_id`."""
    events = api.ask(_FAILURE_EVENTS, run=run_id)["logsForRun"].get("events", [])
    errors = [event["error"] for event in events if event.get("error")]
    if not errors:
        return "its process ended without a word"
    # A step's error wraps the one that was raised in it: the innermost says what happened.
    chain = errors[0].get("errorChain") or []
    innermost = chain[-1]["error"] if chain else errors[0]
    # Dagster puts the name of the exception's class in front of its message.
    return re.sub(r"^[\w.]+: ", "", innermost["message"].strip().splitlines()[0])
