"""A run whose process or code server dies is noticed: real servers, real processes, real kills."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.events import EngineEventData
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from dagster._grpc.__generated__ import dagster_api_pb2
from dagster._grpc.client import DagsterGrpcClient

pytestmark = pytest.mark.integration

_CODE = """
import time
import dagster as dg

@dg.op
def work(context):
    for _ in range(1200):
        time.sleep(0.05)

@dg.job(executor_def=dg.in_process_executor)
def long_job():
    work()

defs = dg.Definitions(jobs=[long_job])
"""
# Not an address of this machine by its look, and yet it leads here, without a resolver.
_ELSEWHERE = "0.0.0.0"  # noqa: S104 - it is dialled, nothing is bound to it
_INSTANCE = """
run_launcher:
  module: twd_shared.run_launcher
  class: WatchedRunLauncher
run_monitoring:
  enabled: true
telemetry:
  enabled: false
"""


def _until(fact: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := fact():
            return found
        time.sleep(0.05)
    pytest.fail(f"not within 30 s: {what}")


class Platform:
    """One code server and what a daemon would hold."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "dagster.yaml").write_text(_INSTANCE)
        (folder / "long_runs.py").write_text(_CODE)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.runs: dict[str, str] = {}
        self.pids: dict[str, int] = {}
        self.start_server()
        self._exit = ExitStack()
        self.instance = self._exit.enter_context(dg.DagsterInstance.from_config(str(folder)))

    def start_server(self) -> None:
        """Start the code server, and wait until it answers."""
        # In a session of its own, as a supervisor does: what ends it does not end its runs.
        self._server = subprocess.Popen(
            [
                *(sys.executable, "-m", "dagster", "api", "grpc"),
                *("--python-file", str(self._folder / "long_runs.py")),
                *("--location-name", "code", "--host", "127.0.0.1", "--port", str(self.port)),
            ],
            cwd=self._folder,
            env={**os.environ, "DAGSTER_HOME": str(self._folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _until(self._listens, "the code server listens")
        client = DagsterGrpcClient(host="127.0.0.1", port=self.port)
        _until(lambda: client.health_check_query() == "SERVING", "the code server answers")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill_server(self) -> None:
        """End the code server as a machine that takes memory back does."""
        self._server.kill()
        self._server.wait()

    def start_run(self, name: str, host: str = "127.0.0.1") -> None:
        """Start a run in a process of its own; `host` is where its server is noted to be."""
        self.keep(name, self.launch(), host)

    def keep(self, name: str, run_id: str, host: str = "127.0.0.1") -> None:
        """Wait until a run that was launched works, and know it and its process by `name`."""
        begun = dg.DagsterEventType.STEP_START
        _until(lambda: self.instance.all_logs(run_id, of_type=begun), "its step has begun")
        # Not before: a run that starts reads its row and writes it back whole, with the old tags.
        address = json.dumps({"host": host, "port": self.port})
        self.instance.add_run_tags(run_id, {GRPC_INFO_TAG: address})
        self.runs[name] = run_id
        # The process as the system sees it: a new child of the server.
        [self.pids[name]] = [
            child.pid
            for child in psutil.Process(self._server.pid).children()
            # One that has just ended has no command line.
            if child.status() != psutil.STATUS_ZOMBIE
            and "spawn_main" in " ".join(child.cmdline())
            and child.pid not in self.pids.values()
        ]

    def launch(self) -> str:
        """Make a run and launch it as the daemon does; gives its id."""
        with self._workspace() as workspace:
            return self._launch(workspace.create_request_context())

    def _workspace(self) -> WorkspaceProcessContext:
        # Not for longer than it is needed: a thread of it watches the server, and fails when the
        # server goes away in the wrong moment.
        target = GrpcServerTarget("127.0.0.1", self.port, None, "code")
        return WorkspaceProcessContext(self.instance, target)

    def _launch(self, context: WorkspaceRequestContext) -> str:
        location = context.get_code_location("code")
        [repository] = location.get_repositories().values()
        job = repository.get_full_job("long_job")
        plan = location.get_execution_plan(job, {}, None, None, None)
        run = self.instance.create_run(
            job_name=job.name,
            run_id=None,
            run_config={},
            status=dg.DagsterRunStatus.NOT_STARTED,
            tags={},
            root_run_id=None,
            parent_run_id=None,
            step_keys_to_execute=None,
            execution_plan_snapshot=plan.execution_plan_snapshot,
            job_snapshot=job.job_snapshot,
            parent_job_snapshot=job.parent_job_snapshot,
            asset_selection=None,
            asset_check_selection=None,
            resolved_op_selection=None,
            op_selection=None,
            remote_job_origin=job.get_remote_origin(),
            job_code_origin=job.get_python_origin(),
            asset_graph=repository.asset_graph,
        )
        self.instance.run_launcher.launch_run(LaunchRunContext(run, context))
        return run.run_id

    def pretend_run(self, name: str, *pids: int) -> None:
        """A run that was started by a server of this machine and told these process ids."""
        address = json.dumps({"host": "127.0.0.1", "port": self.port})
        run = dg.DagsterRun("long_job", tags={GRPC_INFO_TAG: address})
        self.instance.add_run(run)
        for pid in pids:
            self.instance.report_engine_event("Started.", run, EngineEventData.in_process(pid))
        self.runs[name] = run.run_id

    def status(self, name: str) -> dg.DagsterRunStatus:
        """The status of a run as the storage has it now."""
        return self._run(name).status

    def health(self, name: str) -> WorkerStatus:
        """What the launcher says of a run."""
        return self.answer(name).status

    def answer(self, name: str) -> CheckRunHealthResult:
        """The same, with the reason."""
        return self.instance.run_launcher.check_run_worker_health(self._run(name))

    def _run(self, name: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(self.runs[name])
        assert run
        return run

    def monitor(self) -> None:
        """What the daemon does every half minute."""
        with self._workspace() as workspace:
            for error in execute_run_monitoring_iteration(workspace, logging.getLogger("monitor")):
                assert error is None, error

    def ask_server_to_end(self) -> None:
        """What stopping a container does first: the server waits for the runs it has."""
        self._server.terminate()

    def close(self) -> None:
        """End everything."""
        self._exit.close()
        for child in psutil.Process(self._server.pid).children():
            child.kill()
        self.kill_server()
        for pid in self.pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A code server with three runs; it is started once, as that is what takes long here."""
    folder = tmp_path_factory.mktemp("platform")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder))
        made = Platform(folder)
        for name in ("survivor", "victim"):
            made.start_run(name)
        made.start_run("remote", host=_ELSEWHERE)
        yield made
        made.close()


# The tests stand in the order of events.


def test_runs_are_healthy_while_their_server_serves_here_and_elsewhere(platform: Platform) -> None:
    answers = [platform.answer(name) for name in platform.runs]
    assert {(answer.status, answer.msg) for answer in answers} == {(WorkerStatus.RUNNING, None)}


@pytest.mark.filterwarnings("ignore:Error loading repository location")
def test_nothing_is_concluded_while_the_code_server_is_away(platform: Platform) -> None:
    platform.kill_server()
    platform.monitor()
    assert {platform.status(name) for name in platform.runs} == {dg.DagsterRunStatus.STARTED}


def test_a_run_goes_on_when_its_code_server_was_replaced(platform: Platform) -> None:
    platform.start_server()
    assert platform.health("survivor") is WorkerStatus.RUNNING


def test_a_run_that_was_started_a_second_time_lives_as_long_as_the_second_process(
    platform: Platform,
) -> None:
    # The server died while it started the run, so the queue had it started again.
    with subprocess.Popen(["true"]) as first:
        first.wait()
    platform.pretend_run("twice", first.pid, platform.pids["survivor"])
    assert platform.health("twice") is WorkerStatus.RUNNING


def test_what_a_new_server_elsewhere_does_not_know_has_ended(platform: Platform) -> None:
    answer = platform.answer("remote")
    assert answer.status is WorkerStatus.NOT_FOUND, answer.msg
    assert f"the code server at {_ELSEWHERE} was started anew" in (answer.msg or "")


def test_a_run_that_dies_after_its_code_server_is_marked_as_failed_and_says_why(
    platform: Platform,
) -> None:
    os.kill(platform.pids["victim"], signal.SIGKILL)
    _until(lambda: platform.health("victim") is WorkerStatus.NOT_FOUND, "the death is noticed")
    platform.monitor()
    assert platform.status("victim") is dg.DagsterRunStatus.FAILURE
    said = [entry.message for entry in platform.instance.all_logs(platform.runs["victim"])]
    assert any(f"its process {platform.pids['victim']} has ended" in message for message in said)


def test_a_run_whose_code_server_was_replaced_can_be_terminated(platform: Platform) -> None:
    assert platform.instance.run_launcher.terminate(platform.runs["survivor"])
    _until(
        lambda: platform.status("survivor") is dg.DagsterRunStatus.CANCELED,
        "the run ends as canceled",
    )


def test_a_process_that_got_the_id_of_a_dead_run_is_not_taken_for_it_nor_ended(
    platform: Platform,
) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        platform.pretend_run("stranger", stranger.pid)
        assert platform.health("stranger") is WorkerStatus.NOT_FOUND
        assert not platform.instance.run_launcher.terminate(platform.runs["stranger"])
        assert stranger.poll() is None
        stranger.kill()


def test_a_start_that_the_server_confirms_too_late_is_not_given_back_to_the_queue(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given back, it would be sent again, and the end of its second process be taken for its own.
    ask = DagsterGrpcClient._query

    def ask_and_hear_nothing(
        self: DagsterGrpcClient, method: str, *request: Any, **options: Any
    ) -> Any:
        answer = ask(self, method, *request, **options)
        if method == "StartRun":
            ask(silent, "Ping", dagster_api_pb2.PingRequest, timeout=1, echo="")
        return answer

    with socket.create_server(("127.0.0.1", 0)) as nobody:
        silent = DagsterGrpcClient(host="127.0.0.1", port=nobody.getsockname()[1])
        monkeypatch.setattr(DagsterGrpcClient, "_query", ask_and_hear_nothing)
        late = platform.launch()
    platform.keep("late", late)
    said = [entry.message for entry in platform.instance.all_logs(platform.runs["late"])]
    assert any("did not say in time that it did" in message for message in said)


def test_a_server_that_is_about_to_end_counts_as_away_for_a_new_run(platform: Platform) -> None:
    platform.start_run("last")
    platform.ask_server_to_end()

    def refuses() -> bool:
        try:
            platform.launch()
        except DagsterUserCodeUnreachableError as error:
            return "about to end" in str(error)
        return False

    assert _until(refuses, "the server has heard that it is to end")
