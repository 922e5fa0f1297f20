"""Which services a stack has and where: decided at a start, read back by every other command."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from twd_local.postgres.locations import holds_data, used_data_dir
from twd_local.stack.environment import (
    External,
    admin_dsn,
    compose_environment,
    misspelt,
    read_env_file,
)
from twd_local.stack.errors import StackError
from twd_local.stack.home import REPOSITORY, Home
from twd_local.stack.names import ORDER, PORTLESS
from twd_local.stack.ports import PORTS, assign_ports, read_ports
from twd_local.stack.private_files import password
from twd_local.stack.readiness import is_ready, wait_until_ready
from twd_local.stack.services import Service, service
from twd_local.stack.supervision import Supervisor
from twd_shared import settings
from twd_shared.sources.reachability import reach_policy

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that is planned: its services, their ports and the environment they share."""

    home: Home
    services: tuple[Service, ...]
    ports: Mapping[str, int]
    environment: Mapping[str, str]

    @property
    def ui_url(self) -> str:
        """Where the Dagster UI is."""
        return f"http://127.0.0.1:{self.ports['webserver']}"

    def wait(self, supervisor: Supervisor, name: str) -> float:
        """Wait until the service called `name` is ready; returns the seconds it took."""
        check = partial(self.is_ready, self.service(name))
        return wait_until_ready(self.home, supervisor, self.service(name), check)

    def service(self, name: str) -> Service:
        """The service called `name`."""
        return next(one for one in self.services if one.name == name)

    def is_ready(self, one: Service) -> bool:
        """Whether `one` answers now."""
        dsn = admin_dsn(self.home, self.ports) if one.name == "postgres" else None
        return is_ready(one, self.ports, dsn)

    def everything_answers(self) -> bool:
        """Whether every service answers now."""
        return all(self.is_ready(one) for one in self.services)


def given_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What the user set: `.env` of the repository, and over it the environment."""
    return read_env_file(REPOSITORY / ".env") | dict(environment)


def chosen_home(environment: Mapping[str, str]) -> Home:
    """The home that TWD_HOME names in the environment or, if it does not, in `.env`."""
    return Home.from_environment(given_environment(environment))


def plan(home: Home, given: Mapping[str, str], say: Say) -> Stack:
    """Decide which services run where; ports and passwords are remembered in `home`.

    It is for a stack that is stopped: ports that are taken count as other programs'.
    Raises ConfigurationError for a setting that the processes could not follow.
    """
    settings.check(given)
    for name, meant in sorted(misspelt(given).items()):
        say(f"{name} is no setting and changes nothing. Did you mean {meant}?")
    reach_policy(
        settings.value_of(given, settings.SOURCE_HOSTS),
        settings.value_of(given, settings.SOURCE_FILES),
    )
    prefer_usual = settings.value_of(given, PORTS) == "usual"
    home.create()
    names = External.from_environment(given).services()
    ports = assign_ports(
        home.ports_file,
        [name for name in names if name not in PORTLESS],
        prefer_usual=prefer_usual,
        say=say,
    )
    if "postgres" in names:
        _require_password(home)
        # The server reads it as soon as it is started, perhaps before anybody connects.
        password(home.secrets / "postgres")
    environment = compose_environment(home, given, ports)
    services = tuple(service(name, home, ports) for name in names)
    return Stack(home, services, ports, environment)


def _require_password(home: Home) -> None:
    file, used = home.secrets / "postgres", used_data_dir(home.postgres_data)
    if not file.exists() and holds_data(used):
        raise StackError(
            f"The database in {used} has a password that should be in {file}, which is gone. Put "
            "it back, from a copy of the folder. To begin with an empty database, name another "
            "TWD_HOME, or: make clean"
        )


def started_stack(home: Home) -> Stack:
    """The stack as it was started last; raises StackError if it never was."""
    environment = stack_environment(home)
    ports = read_ports(home.ports_file)
    names = [path.stem for path in home.services.glob("*.json") if path.stem != "environment"]
    services = tuple(service(name, home, ports) for name in sorted(names, key=ORDER.index))
    return Stack(home, services, ports, environment)


def stack_environment(home: Home) -> dict[str, str]:
    """The environment that the processes of the stack share; raises StackError if there is none."""
    if not home.environment_file.exists():
        raise StackError("The stack has not been started yet. Start it with: make up")
    return json.loads(home.environment_file.read_text())
