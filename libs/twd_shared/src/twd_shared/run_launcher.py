"""The launcher of runs, which also tells whether the process of a run is still there, and ends it.

Dagster leaves both to the code server that started the process. If that was replaced, killed or
lost with its machine since then, a run whose process has gone would stay *started*, with its slots
in pools, until the longest time that a run may take is over.

The instance of a laptop and of containers names this class, so it imports Dagster, its gRPC and
psutil alone: the image of the webserver and the daemon has none of the library's other
requirements.
"""

import ipaddress
import json
import os
import signal
from contextlib import suppress
from typing import Any

import grpc
import psutil
from dagster import DagsterEventType, DagsterRun
from dagster._core.errors import DagsterLaunchFailedError, DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

# How the standard library starts a process that is not a copy of its parent.
_STARTED_BY_MULTIPROCESSING = "--multiprocessing-fork"
_HOME = "DAGSTER_HOME"
_ANSWER_SECONDS = 5
# What `StartRun` of dagster._grpc.server answers; it has no other sign of this.
_ABOUT_TO_END = "after telling it to shut down"


class WatchedRunLauncher(DefaultRunLauncher):
    """Starts a run as a process of its code server, and finds that process without the server.

    On the machine of the code server the process is looked up. A server elsewhere (a container)
    is asked, since its processes cannot outlive it.
    """

    def launch_run(self, context: LaunchRunContext) -> None:
        """Have the code server start the run; one that is about to end counts as away.

        Such a server (a container that waits for its runs) refuses new ones, which Dagster takes
        for the run's own failure. A run that finds no server waits in the queue for the next one.

        One that a busy server was asked to start, and did not in time say that it did, does not: it
        may begin. A second process of it would end at once, and be taken for the end of the run.
        """
        try:
            super().launch_run(context)
        except DagsterUserCodeUnreachableError as error:
            if not _was_too_slow(error):
                raise
            self._instance.report_engine_event(
                "The code server was asked to start the run, and did not say in time that it did. "
                "The run is not sent again: if it does not start, run monitoring says so.",
                context.dagster_run,
            )
        except DagsterLaunchFailedError as error:
            if _ABOUT_TO_END not in str(error):
                raise
            raise DagsterUserCodeUnreachableError(
                "The code server is about to end and starts no more runs."
            ) from error

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring of the daemon asks for each run that is going on."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """What is known of the process of `run`; what cannot be known counts as running."""
        server = _server(run)
        if "host" not in server:
            return _unknown("it is not noted which code server started it")
        if not _is_here(server):
            return _ask(server, run)
        pids = self._pids(run)
        if not pids:
            return _unknown("it has not told its process id")
        if any(map(_is_run_process, pids)):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND,
            f"its process {pids[-1]} has ended, and the code server that started it was not there "
            "to notice",
        )

    def terminate(self, run_id: str) -> bool:
        """Interrupt the process of a run, whether or not its code server knows it."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or not _is_here(_server(run)):
            return super().terminate(run_id)
        # What it cannot tell a server that is away, the process is told below.
        with suppress(DagsterUserCodeUnreachableError):
            if super().terminate(run_id):
                return True
        alive = [] if run.is_finished else [*filter(_is_run_process, self._pids(run))]
        for pid in alive:
            # As the server does: the step that is going on ends by an exception, and says so.
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGINT)
        return bool(alive)

    def _pids(self, run: DagsterRun) -> list[int]:
        """The processes that told that they are the run's, oldest first.

        There are two if the server died while it started the run: the first tells its id before it
        sees that the run is in the queue again, and ends.
        """
        entries = self._instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)
        told = [
            int(str(pid.value))
            for entry in entries
            if entry.dagster_event
            and (pid := entry.dagster_event.engine_event_data.metadata.get("pid"))
        ]
        return list(dict.fromkeys(told))


def _was_too_slow(error: DagsterUserCodeUnreachableError) -> bool:
    # A server that cannot be reached, or goes away, has other codes. Whether one that is busy has
    # heard of the run, this does not tell.
    cause = error.__cause__
    return isinstance(cause, grpc.Call) and cause.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def _server(run: DagsterRun) -> dict[str, Any]:
    """Address of the code server that started `run`; empty if it is not noted."""
    return json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))


def _is_here(server: dict[str, Any]) -> bool:
    host = server.get("host", "")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_run_process(pid: int) -> bool:
    # The system uses ids again, so the process must look like a run of this instance. Times are not
    # compared: after a clock was set, every run would look like a process of later.
    try:
        process = psutil.Process(pid)
        return (
            process.status() != psutil.STATUS_ZOMBIE
            and _STARTED_BY_MULTIPROCESSING in process.cmdline()
            and process.environ().get(_HOME) == os.environ.get(_HOME)
        )
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        # Another user's: it cannot be known, and a run that works must not be taken for dead.
        return True


def _ask(server: dict[str, Any], run: DagsterRun) -> CheckRunHealthResult:
    host = server["host"]
    client = DagsterGrpcClient(
        host=host, port=server.get("port"), use_ssl=bool(server.get("use_ssl"))
    )
    try:
        answer = deserialize_value(
            # One server that hangs must not hold up the monitoring of all runs.
            client.can_cancel_execution(
                CanCancelExecutionRequest(run_id=run.run_id), timeout=_ANSWER_SECONDS
            ),
            CanCancelExecutionResult,
        )
    except DagsterUserCodeUnreachableError:
        return _unknown(f"the code server at {host} does not answer")
    if answer.can_cancel:
        return CheckRunHealthResult(WorkerStatus.RUNNING)
    return CheckRunHealthResult(
        WorkerStatus.NOT_FOUND,
        f"the code server at {host} was started anew since the run began, and a run ends with the "
        "container it is in",
    )


def _unknown(why: str) -> CheckRunHealthResult:
    # Any other status would have the run marked as failed while it may be working.
    return CheckRunHealthResult(WorkerStatus.RUNNING, why)
