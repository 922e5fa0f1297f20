"""The demo's days of statistics: one run of analytics_job over the last week."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from twd_local.dagster_api import DagsterApi
from twd_local.demo.progress import failure_reason
from twd_local.stack.errors import StackError

DAYS = 7
_DEADLINE_SECONDS = 120.0

_MEASURED = """
query ($partitions: [String!]) {
  assetNodes(assetKeys: [{path: ["analytics", "sql_accuracy_report"]}]) {
    latestMaterializationByPartition(partitions: $partitions) { partition }
  }
}
"""

# The tags by which Dagster runs a range of partitions in one run.
_LAUNCH = """
mutation ($first: String!, $last: String!) {
  launchRun(executionParams: {
    selector: {
      repositoryLocationName: "analytics"
      repositoryName: "__repository__"
      jobName: "analytics_job"
    }
    runConfigData: "{}"
    executionMetadata: {tags: [
      {key: "dagster/asset_partition_range_start", value: $first},
      {key: "dagster/asset_partition_range_end", value: $last},
      {key: "twd/trigger", value: "demo"}
    ]}
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""

_STATUS = "query ($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"


def last_days(zone: str) -> list[str]:
    """The keys of the last whole days in time zone `zone`, oldest first."""
    today = datetime.now(ZoneInfo(zone)).date()
    return [(today - timedelta(days=ago)).isoformat() for ago in range(DAYS, 0, -1)]


def measure_last_days(api: DagsterApi, zone: str) -> str:
    """Have the last days measured, unless they are; returns what was done. Raises StackError."""
    days = last_days(zone)
    [node] = api.ask(_MEASURED, partitions=days)["assetNodes"]
    if all(node["latestMaterializationByPartition"]):
        return "already measured"
    started = time.time()
    launched = api.ask(_LAUNCH, first=days[0], last=days[-1])["launchRun"]
    if launched["__typename"] != "LaunchRunSuccess":
        reason = launched.get("message", launched["__typename"]).strip().splitlines()[0]
        raise StackError(f"analytics_job could not be launched: {reason}")
    run_id = launched["run"]["runId"]
    while time.time() - started < _DEADLINE_SECONDS:
        status = api.ask(_STATUS, run=run_id)["runOrError"]["status"]
        if status == "SUCCESS":
            return f"{days[0]} to {days[-1]} measured in {time.time() - started:.1f} s"
        if status in {"FAILURE", "CANCELED"}:
            reason = failure_reason(api, run_id) if status == "FAILURE" else "it was canceled."
            raise StackError(f"analytics_job failed: {reason} See: {api.url}/runs/{run_id}")
        time.sleep(0.5)
    raise StackError(
        f"analytics_job has not ended after {_DEADLINE_SECONDS:.0f} s. See: "
        f"{api.url}/runs/{run_id}. make demo goes on from here."
    )
