"""supervisord: its configuration, and the calls to it. It keeps the services running."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Collection
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from twd_local.stack import launch
from twd_local.stack.environment import STACK_ID
from twd_local.stack.errors import StackError
from twd_local.stack.home import Home
from twd_local.stack.private_files import write_private, write_private_json
from twd_local.stack.services import Service

_MANAGER = """\
[unix_http_server]
file={socket}
chmod=0700

[supervisord]
logfile={logs}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile={services}/supervisord.pid
childlogdir={logs}
directory={directory}
nodaemon=false
silent=true
umask=077

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""

# stopasgroup and killasgroup are off: a group holds the runs that a code server started.
_PROGRAM = """
[program:{name}]
command={command}
directory={directory}
autostart=false
autorestart=true
startsecs=1
startretries=5
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
stopasgroup=false
killasgroup=false
redirect_stderr=true
stdout_logfile={logs}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""

_GIVEN_UP = {"FATAL", "EXITED", "STOPPED", "UNKNOWN"}


def write_configuration(
    home: Home, services: Collection[Service], environment: dict[str, str]
) -> None:
    """Write what supervisord and the launcher read: one configuration, one file a service."""
    sections = [_section(_MANAGER, home, socket=str(home.supervisor_socket))]
    write_private_json(home.environment_file, environment)
    for service in services:
        specification = home.services / f"{service.name}.json"
        write_private_json(
            specification,
            {
                "command": service.command,
                "release": service.release,
                "environment": environment | dict(service.environment),
            },
        )
        launcher = (sys.executable, "-I", "-S", str(Path(launch.__file__)), str(specification))
        sections.append(
            _section(
                _PROGRAM,
                home,
                name=service.name,
                command=shlex.join(launcher),
                stop_signal=service.stop_signal,
                stop_seconds=str(service.stop_seconds),
            )
        )
    write_private(home.supervisor_config, "".join(sections))
    kept = {home.environment_file.stem, *(service.name for service in services)}
    for path in home.services.glob("*.json"):
        if path.stem not in kept:
            path.unlink()  # of a service of an earlier start


def _section(template: str, home: Home, **values: str) -> str:
    places = {
        "logs": str(home.logs),
        "services": str(home.services),
        # Dagster's commands take a file .env of the folder that they work in for their environment,
        # over what they were given. There is none here.
        "directory": str(home.dagster_home),
    }
    # supervisord expands %(name)s: a percent sign in a folder's name is doubled.
    return template.format(
        **{key: value.replace("%", "%%") for key, value in (places | values).items()}
    )


class Supervisor:
    """The supervisord of one home."""

    def __init__(self, home: Home) -> None:
        """Nothing is contacted until a method is called."""
        self._home = home

    def is_running(self) -> bool:
        """Whether supervisord answers."""
        try:
            return self._call("getState")["statename"] in {"RUNNING", "RESTARTING"}
        except StackError:
            return False

    def start(self) -> None:
        """Start supervisord in the background; raises StackError if it does not come up."""
        completed = subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "supervisor.supervisord",
                "-c",
                str(self._home.supervisor_config),
            ],
            env={**os.environ, STACK_ID: self._home.stack_id},
            capture_output=True,
            text=True,
            check=False,
        )
        deadline = time.monotonic() + 15
        while not self.is_running():
            if completed.returncode or time.monotonic() > deadline:
                said = (completed.stderr or completed.stdout).strip()
                raise StackError(f"supervisord did not start. It said: {said or 'nothing'}")
            time.sleep(0.05)

    def pid(self) -> int:
        """The pid of supervisord itself."""
        return self._call("getPID")

    def processes(self) -> dict[str, dict[str, Any]]:
        """Name → supervisord's description of the process (statename, pid, start, now …)."""
        return {process["name"]: process for process in self._call("getAllProcessInfo")}

    def start_process(self, name: str) -> None:
        """Ask for `name` to be started; it need not be ready when this returns."""
        state = self.processes()[name]["statename"]
        if state in {"BACKOFF", "STOPPING"}:
            # Between two tries supervisord refuses to start it, and the next try may be far. While
            # it is being stopped, supervisord takes the call for done, and nothing is started.
            self.stop([name])
        if state not in {"RUNNING", "STARTING"}:
            self._call("startProcess", name, False)

    def stop(self, names: Collection[str]) -> None:
        """Stop the processes called `names` together, and wait until they have ended."""
        states = self.processes()
        waiting = {
            name for name in names if name in states and states[name]["statename"] not in _GIVEN_UP
        }
        for name in names:
            # What is being stopped already is waited for; supervisord refuses to do it twice.
            if name in waiting and states[name]["statename"] != "STOPPING":
                self._call("stopProcess", name, False)
        while waiting:
            states = self.processes()
            waiting = {name for name in waiting if states[name]["statename"] not in _GIVEN_UP}
            if waiting:
                time.sleep(0.05)

    def restart(self, name: str) -> None:
        """End the process called `name`, and nothing it started, and start it again."""
        self.stop([name])
        self.start_process(name)

    def shut_down(self) -> None:
        """End supervisord, which ends what it still runs."""
        self._call("shutdown")

    def pid_if_alive(self, name: str) -> int:
        """The pid of `name`; 0 when it has ended, even if it is about to be started again."""
        process = self.processes()[name]
        return 0 if process["statename"] in {*_GIVEN_UP, "BACKOFF"} else process["pid"]

    def _call(self, method: str, *arguments: Any) -> Any:
        # A new transport for each call, because a used one is unusable after an error. The host
        # in the address means nothing: calls go through the socket.
        transport = SupervisorTransport(None, None, f"unix://{self._home.supervisor_socket}")
        try:
            with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
                return getattr(server.supervisor, method)(*arguments)
        except (OSError, xmlrpc.client.ProtocolError, xmlrpc.client.Fault) as error:
            raise StackError(
                f"supervisord did not carry out {method} ({error}). "
                "If this stays so: make down, then make up."
            ) from None
