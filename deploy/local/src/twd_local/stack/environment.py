"""The environment of the stack's processes: what the user gave, and addresses of what we start.

An address that the user gave (in the environment or in `.env`) means that the server runs
elsewhere: its stand-in is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from twd_local.postgres.running import dsn_of
from twd_local.stack.errors import StackError
from twd_local.stack.home import REPOSITORY, Home
from twd_local.stack.names import LOCATIONS, ORDER
from twd_local.stack.ports import PORTS
from twd_local.stack.private_files import password
from twd_shared import settings

LOCAL_EMBED_MODEL = "twd-lexical"
METADATA_DATABASE = "twd_metadata"
# Not "twd": PostgreSQL looks for a table in the schema named after the role first, and Dagster's
# tables would end up among ours.
METADATA_ROLE = "twd_metadata"
APPLICATION_DATABASE = "twd_application"
APPLICATION_ROLE = "twd_application"
APPLICATION_READER = "twd_application_reader"

STACK_ID = "TWD_STACK_ID"

_THIS_MACHINE = ("127.0.0.1", "localhost")

_COMMENT = re.compile(r"\s#")
_QUOTED = re.compile(r"""(?P<quote>['"])(?P<value>((?!(?P=quote)).)*)(?P=quote)(\s+#.*)?""")

_NAMES = {variable.name for variable in settings.VARIABLES}
_FOLDERS = {
    variable.name
    for variable in (settings.SECRETS_FOLDER, settings.COMPUTE_LOG_DIR, settings.ARTIFACT_DIR)
}


@dataclass(frozen=True, slots=True)
class External:
    """Which servers run elsewhere, by the addresses that the user gave."""

    metadata: bool
    application: bool
    api: bool
    qdrant: bool
    ollama: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> External:
        """Read it from the variables that are set and not empty."""
        return cls(
            metadata=bool(environment.get(settings.METADATA_DSN.name)),
            application=bool(environment.get(settings.APPLICATION_DSN.name)),
            api=bool(environment.get(settings.API_URL.name)),
            qdrant=bool(environment.get(settings.QDRANT_URL.name)),
            ollama=bool(environment.get(settings.OLLAMA_BASE_URL.name)),
        )

    def services(self) -> tuple[str, ...]:
        """The names of the services to start here, in the order of starting."""
        if self.api != self.application:
            raise StackError(
                f"{settings.API_URL.name} and {settings.APPLICATION_DSN.name} belong to the same "
                "application: set both to use yours, or neither to use the sample application."
            )
        left_out = {
            "postgres": self.metadata and self.application,
            "qdrant": self.qdrant,
            "ollama": self.ollama,
            "application": self.api,
        }
        return tuple(name for name in ORDER if not left_out.get(name, False))


def read_env_file(path: Path) -> dict[str, str]:
    """The NAME=value lines of `path`; comments, blank lines, `export` and quotes are understood.

    As Compose does, which reads such a file too.
    Raises: StackError naming the line that is none of these, or for a file that is no UTF-8.
    """
    if not path.exists():
        return {}
    try:
        # Some editors begin a file with a mark, which is of no name.
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise StackError(f"{path.name} is not written in UTF-8. Save it so.") from None
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise StackError(f"{path.name}, line {number} is not of the form NAME=value.")
        if value.strip()[:1] not in ("'", '"'):
            values[name.strip()] = _COMMENT.split(value, maxsplit=1)[0].strip()
            continue
        quoted = _QUOTED.fullmatch(value.strip())
        if quoted is None:
            raise StackError(
                f"{path.name}, line {number}: the value of {name.strip()} begins with a quote that "
                "is not closed, or closed before its end. Put the whole value into the other kind "
                "of quotes, or into none."
            )
        values[name.strip()] = quoted["value"]
    return values


def admin_dsn(home: Home, ports: Mapping[str, int], database: str = "postgres") -> str:
    """The address by which the stack itself, and nothing else, manages the local PostgreSQL."""
    return dsn_of(ports["postgres"], password(home.secrets / "postgres"), database)


def application_admin_dsn(home: Home, ports: Mapping[str, int]) -> str:
    """The address by which the sample application reads and writes its own database."""
    secret = password(home.secrets / APPLICATION_ROLE)
    return dsn_of(ports["postgres"], secret, APPLICATION_DATABASE, APPLICATION_ROLE)


def compose_environment(
    home: Home, given: Mapping[str, str], ports: Mapping[str, int]
) -> dict[str, str]:
    """The variables that every process of the stack gets on top of the inherited environment."""
    external = External.from_environment(given)
    local: dict[str, str] = {
        settings.COMPUTE_LOG_DIR.name: str(home.compute_logs),
        settings.ARTIFACT_DIR.name: str(home.artifacts),
        settings.UI_URL.name: f"http://127.0.0.1:{ports['webserver']}",
        # The sample databases, and most that somebody tries first, are on this machine.
        settings.SOURCE_HOSTS.name: f"{settings.SOURCE_HOSTS.default},loopback",
        settings.MAX_CONCURRENT_RUNS.name: settings.MAX_CONCURRENT_RUNS.default or "",
        "DAGSTER_HOME": str(home.dagster_home),
        "PYTHONUNBUFFERED": "1",
        # Conditions are evaluated in code servers: an event that is still being written when a
        # tick begins would be seen by neither that tick nor the next.
        "DAGSTER_AUTOMATION_TICK_SETTLE_SECONDS": "1",
        # Every run is a new process: without stored bytecode each would compile its imports again,
        # which takes longer than the run.
        "PYTHONDONTWRITEBYTECODE": "",
        # Threads of a server otherwise keep a heap each: tens of megabytes for nothing.
        "MALLOC_ARENA_MAX": "2",
    }
    if not external.metadata:
        secret = password(home.secrets / METADATA_ROLE)
        local[settings.METADATA_DSN.name] = dsn_of(
            ports["postgres"], secret, METADATA_DATABASE, METADATA_ROLE
        )
    if not external.application:
        secret = password(home.secrets / APPLICATION_READER)
        local[settings.APPLICATION_DSN.name] = dsn_of(
            ports["postgres"], secret, APPLICATION_DATABASE, APPLICATION_READER
        )
        local[settings.API_URL.name] = f"http://127.0.0.1:{ports['application']}"
    if not external.qdrant:
        local[settings.QDRANT_URL.name] = f"http://127.0.0.1:{ports['qdrant']}"
    if not external.ollama:
        local[settings.OLLAMA_BASE_URL.name] = f"http://127.0.0.1:{ports['ollama']}"
        local[settings.EMBED_MODEL.name] = LOCAL_EMBED_MODEL
    for location in LOCATIONS:
        local[f"TWD_{location.upper()}_HOST"] = "127.0.0.1"
        local[f"TWD_{location.upper()}_PORT"] = str(ports[location])
    return local | _chosen(given)


def reach_this_machine_directly(environment: MutableMapping[str, str]) -> None:
    """Let no proxy of `environment` stand before servers here; it is used for all others."""
    given = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    if "*" in hosts:
        return
    hosts += [host for host in _THIS_MACHINE if host not in hosts]
    # Some programs know the one, some the other.
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(hosts)


def forget_libpq(environment: MutableMapping[str, str]) -> None:
    """Take out what speaks to clients of PostgreSQL: it is meant for other servers than ours."""
    for name in [name for name in environment if name.startswith("PG")]:
        del environment[name]


def set_since(given: Mapping[str, str], environment: Mapping[str, str]) -> list[str]:
    """Names of the settings in `given` that processes with this `environment` do not have."""
    return [name for name, value in _chosen(given).items() if environment.get(name) != value]


def misspelt(given: Mapping[str, str]) -> dict[str, str]:
    """Names in `given` that are no setting, with the setting that is called nearly so."""
    known = {*_NAMES, PORTS.name, "TWD_HOME"}
    near = {name: get_close_matches(name, known, 1, 0.9) for name in given if name not in known}
    return {name: found[0] for name, found in near.items() if found}


def _chosen(given: Mapping[str, str]) -> dict[str, str]:
    return {
        # Processes work in a folder of their own: a relative path is one from where .env is.
        name: str(REPOSITORY / Path(value).expanduser()) if name in _FOLDERS else value
        for name, value in given.items()
        if name in _NAMES and value
    }
