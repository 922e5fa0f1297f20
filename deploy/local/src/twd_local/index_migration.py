"""`python -m twd_local.index_migration`: run index_migration_job and show what becomes of it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import closing
from typing import Any

from twd_local.dagster_api import DagsterApi
from twd_local.stack.entry import run_command
from twd_local.stack.errors import FORESEEN, StackError, explained
from twd_local.stack.plan import chosen_home, started_stack

_POLL_SECONDS = 1.0
_ENDED = ("SUCCESS", "FAILURE", "CANCELED")
_WAITING = ("QUEUED", "NOT_STARTED", "STARTING")
_REMIND_SECONDS = 30.0

_LAUNCH = """
mutation ($config: RunConfigData) {
  launchRun(executionParams: {
    selector: {
      repositoryLocationName: "schema", repositoryName: "__repository__",
      jobName: "index_migration_job"
    }
    runConfigData: $config
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PipelineNotFoundError { message }
    ... on PythonError { message }
  }
}
"""

_PROGRESS = """
query ($run: ID!, $cursor: String) {
  runOrError(runId: $run) {
    __typename
    ... on Run { status }
    ... on RunNotFoundError { message }
    ... on PythonError { message }
  }
  logsForRun(runId: $run, afterCursor: $cursor) {
    __typename
    ... on RunNotFoundError { message }
    ... on PythonError { message }
    ... on EventConnection {
      cursor
      events {
        ... on LogMessageEvent { said: message }
        ... on ExecutionStepOutputEvent { metadataEntries { ...shown } }
        ... on ExecutionStepFailureEvent {
          error { message }
          failureMetadata { metadataEntries { ...shown } }
        }
      }
    }
  }
}
fragment shown on MetadataEntry {
  label
  ... on TextMetadataEntry { text }
  ... on MarkdownMetadataEntry { mdStr }
  ... on IntMetadataEntry { intRepr }
}
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 = migrated, 1 = it was not, and stderr says why."""
    parser = argparse.ArgumentParser(
        prog="twd_local.index_migration",
        description="Serve a schema index made by TWD_EMBED_MODEL, built beside the present one.",
    )
    parser.add_argument("--rebuild", action="store_true", help="also if that model is served")
    parser.add_argument("--accept-loss", action="store_true", help="whatever is found no more")
    chosen = parser.parse_args(arguments)
    config = {"rebuild": chosen.rebuild, "accept_loss": chosen.accept_loss}
    try:
        stack = started_stack(chosen_home(os.environ))
        with closing(DagsterApi(stack.ui_url)) as api:
            return int(not _follow(api, _launch(api, config)))
    except FORESEEN as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nNobody follows the run any more. It goes on by itself.", file=sys.stderr)
        return 130


def _launch(api: DagsterApi, config: dict[str, bool]) -> str:
    answer = api.ask(_LAUNCH, config={"ops": {"migrate_schema_index": {"config": config}}})
    launched = answer["launchRun"]
    if launched["__typename"] != "LaunchRunSuccess":
        reason = launched.get("message") or launched.get("errors") or launched["__typename"]
        raise StackError(f"index_migration_job could not be launched: {reason}")
    run_id = launched["run"]["runId"]
    print(f"{api.url}/runs/{run_id}", flush=True)
    return run_id


def _follow(api: DagsterApi, run_id: str) -> bool:
    """Print what the run says until it ends; whether it was successful.

    Says every half minute why a run does not start. Raises StackError when it cannot be followed.
    """
    cursor: str | None = None
    told = time.monotonic()
    while True:
        progress = api.ask(_PROGRESS, run=run_id, cursor=cursor)
        run, logs = progress["runOrError"], progress["logsForRun"]
        if "status" not in run or "events" not in logs:
            reason = run.get("message") or logs.get("message") or run["__typename"]
            raise StackError(
                f"Run {run_id} of index_migration_job cannot be followed: {reason} It may still "
                f"be going on; see {api.url}/runs/{run_id}."
            )
        cursor = logs["cursor"]
        for event in logs["events"]:
            _show(event)
        if (status := run["status"]) in _ENDED:
            return status == "SUCCESS"
        if status in _WAITING and time.monotonic() - told >= _REMIND_SECONDS:
            told = time.monotonic()
            print(_why_waiting(api, status), flush=True)
        time.sleep(_POLL_SECONDS)


def _why_waiting(api: DagsterApi, status: str) -> str:
    if api.daemons_are_healthy():
        return f"The run is {status.lower()}: other runs are before it, or it is about to start."
    return (
        f"The run is {status.lower()}, and Dagster's daemon, which starts runs, does not report. "
        "See: make status, make logs SERVICE=daemon. The run goes on when the daemon is back."
    )


def _show(event: dict[str, Any]) -> None:
    if "said" in event:
        print(event["said"], flush=True)
    if event.get("error"):
        print(event["error"]["message"].strip(), file=sys.stderr)
    metadata = event.get("failureMetadata") or event
    for entry in metadata.get("metadataEntries") or []:
        if "mdStr" in entry:
            print(f"\n{entry['mdStr']}\n")
        elif value := entry.get("text") or entry.get("intRepr"):
            print(f"{entry['label']}: {value}")


if __name__ == "__main__":
    run_command(main)
