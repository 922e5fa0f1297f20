"""Which failed runs end the demo, asked of a real webserver about the runs of an instance."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import dagster as dg
import pytest
import uvicorn
from dagster._core.test_utils import instance_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver.app import create_app_from_workspace_process_context

from twd_local.dagster_api import DagsterApi
from twd_local.demo.progress import failed_run, failure_reason

STARTED = 0.0


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with instance_for_test() as instance:
        yield instance


@pytest.fixture
def api(instance: dg.DagsterInstance) -> Iterator[DagsterApi]:
    with (
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        app = create_app_from_workspace_process_context(context)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        api = DagsterApi(f"http://127.0.0.1:{listening.getsockname()[1]}")
        yield api
        api.close()
        server.should_exit = True
        thread.join()


def fail(instance: dg.DagsterInstance, partition: str | None, **tags: str) -> str:
    """Have a run fail; returns its id."""

    @dg.op
    def read_source() -> None:
        raise ValueError(f"The source of {partition} is away.")

    @dg.job
    def schema_import_job() -> None:
        read_source()

    given = {"dagster/partition": partition} if partition else {}
    result = schema_import_job.execute_in_process(
        instance=instance, tags=given | tags, raise_on_error=False
    )
    assert not result.success
    return result.run_id


def test_only_a_lasting_failure_of_a_given_partition_counts(
    instance: dg.DagsterInstance, api: DagsterApi
) -> None:
    samples = ["pagila", "chinook"]
    fail(instance, "shop")
    fail(instance, None)
    fail(instance, "chinook", **{"dagster/will_retry": "true"})
    assert failed_run(api, STARTED, samples) is None
    run_id = fail(instance, "pagila")
    fail(instance, "shop")
    found = failed_run(api, STARTED, samples)
    assert found is not None
    assert (found.run_id, found.partition) == (run_id, "pagila")
    assert found.reason == "The source of pagila is away."
    assert failed_run(api, time.time() + 60, samples) is None


def test_the_reason_is_that_of_the_run_that_was_asked_about(
    instance: dg.DagsterInstance, api: DagsterApi
) -> None:
    first, second = fail(instance, "shop"), fail(instance, "pagila")
    assert failure_reason(api, first) == "The source of shop is away."
    assert failure_reason(api, second) == "The source of pagila is away."
