"""The names, defaults and meaning of every environment variable that production code reads.

Nothing here reads the environment when imported; `Settings.from_environment` does, when asked.
Secrets are named here but their values live in Dagster resources (`dg.EnvVar`), so that the UI
shows the variable's name and never its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from twd_shared.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be, in words and as a test of a value that is not empty."""

    words: str
    is_kept: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: its name, its default (None = required) and what it is for."""

    name: str
    default: str | None
    purpose: str
    secret: bool = False
    rule: Rule | None = None


def _whole(least: int, most: int = 999_999_999) -> Rule:
    def is_kept(text: str) -> bool:
        return bool(re.fullmatch("[0-9]{1,9}", text)) and least <= int(text) <= most

    return Rule(f"a whole number from {least} to {most}", is_kept)


def one_of(*names: str) -> Rule:
    """The rule that a value is one of `names`."""
    return Rule(f"one of {', '.join(names)}", names.__contains__)


def _some_of(*names: str) -> Rule:
    def is_kept(text: str) -> bool:
        entries = entries_of(text)
        return bool(entries) and set(entries) <= set(names)

    return Rule(f"some of {', '.join(names)}, comma-separated", is_kept)


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _is_time_zone(text: str) -> bool:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False
    return True


def _is_http(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna")
        # Reading the port raises for one that is out of range.
        is_whole = bool(host) and parts.port != 0
    except ValueError:
        return False
    return is_whole and parts.scheme in ("http", "https") and not re.search(r"\s", text)


_SHARE = Rule("a number from 0 to 1", _is_share)
_TIME_ZONE = Rule("a time zone, such as UTC or Asia/Ho_Chi_Minh", _is_time_zone)
_HTTP = Rule("an address that begins with http:// or https:// and names a host", _is_http)
# As Ollama's own OLLAMA_HOST, it may have no scheme.
_OLLAMA = Rule(
    "an address, such as http://ollama.example:11434 or ollama.example:11434",
    lambda text: _is_http(text if "://" in text else f"http://{text}"),
)
# A hundred years: dates and intervals of databases go no further than they must.
_MOST_DAYS = 36_500
# Each is a place that one statement asks for.
_MOST_HOST_READINGS = 500


METADATA_DSN = Variable(
    "TWD_METADATA_DSN",
    None,
    "PostgreSQL of Dagster's storage and of the schema twd",
    secret=True,
)
APPLICATION_DSN = Variable(
    "TWD_APPLICATION_DSN", None, "The application's PostgreSQL, read only", secret=True
)
API_URL = Variable("TWD_API_URL", "http://127.0.0.1:8000", "The application's HTTP API", rule=_HTTP)
CATALOG = Variable(
    "TWD_CATALOG",
    "api",
    "Where connections are listed: api, or database (database_connections)",
    rule=one_of("api", "database"),
)
QDRANT_URL = Variable("QDRANT_URL", "http://127.0.0.1:6333", "Qdrant's REST address", rule=_HTTP)
QDRANT_API_KEY = Variable("QDRANT_API_KEY", "", "Qdrant's key, if it asks for one", secret=True)
INDEX_ALIAS = Variable(
    "TWD_INDEX_ALIAS", "talkwdata_schemas", "Alias under which the schema index is read"
)
OLLAMA_BASE_URL = Variable(
    "OLLAMA_BASE_URL", "http://127.0.0.1:11434", "Ollama's address", rule=_OLLAMA
)
EMBED_MODEL = Variable("TWD_EMBED_MODEL", "nomic-embed-text", "Ollama model that embeds texts")
LLM_MODEL = Variable(
    "TWD_LLM_MODEL", "", "Ollama model that writes SQL and describes tables; empty = none"
)
SOURCE_DIALECTS = Variable(
    "TWD_SOURCE_DIALECTS",
    "postgresql,mysql",
    "Database types that may be read, comma-separated",
    rule=_some_of("postgresql", "mysql", "sqlite"),
)
SOURCE_HOSTS = Variable(
    "TWD_SOURCE_HOSTS",
    "public,private",
    "Hosts that may be read: public, private, loopback, names (*.example.com), addresses, "
    "networks; comma-separated",
)
SOURCE_FILES = Variable(
    "TWD_SOURCE_FILES",
    "",
    "Folders of SQLite files that may be read, comma-separated; empty = none",
)
SOURCE_TIMEOUT_SECONDS = Variable(
    "TWD_SOURCE_TIMEOUT_SECONDS",
    "60",
    "Limit of one statement on a source database, seconds",
    rule=_whole(1),
)
SOURCE_HOST_READINGS = Variable(
    "TWD_SOURCE_HOST_READINGS",
    "12",
    "Readings of sources on one host and port at once, over all runs and sensors",
    rule=_whole(1, _MOST_HOST_READINGS),
)
DROP_SHARE = Variable(
    "TWD_DROP_SHARE",
    "0.3",
    "Share of a schema's tables that may vanish before a second reading must confirm it, 0 to 1",
    rule=_SHARE,
)
CONFIRM_SECONDS = Variable(
    "TWD_CONFIRM_SECONDS", "30", "Wait before that second reading, seconds", rule=_whole(0)
)
SNAPSHOT_DAYS = Variable(
    "TWD_SNAPSHOT_DAYS",
    "0",
    "Days that superseded versions of a schema are kept; 0 = for ever",
    rule=_whole(0, _MOST_DAYS),
)
RUN_DAYS = Variable(
    "TWD_RUN_DAYS",
    "90",
    "Days that runs which ended are kept, with events and output; 0 = for ever",
    rule=_whole(0, _MOST_DAYS),
)
CONNECTION_KEYS = Variable(
    "TWD_CONNECTION_KEYS",
    "",
    "Keys of connection strings that are stored encrypted, comma-separated, newest first",
    secret=True,
)
SECRETS_FOLDER = Variable(
    "TWD_SECRETS_FOLDER", "", "Folder of files that connections name as secret:NAME; empty = none"
)
SCRATCH_DSN = Variable(
    "TWD_SCRATCH_DSN",
    "",
    "Empty PostgreSQL database where DDL is replayed and rolled back; empty = it is only parsed",
    secret=True,
)
NEW_CONNECTION_SECONDS = Variable(
    "TWD_NEW_CONNECTION_SECONDS", "30", "Interval of new_connection_sensor, seconds", rule=_whole(1)
)
SCHEMA_CHANGE_SECONDS = Variable(
    "TWD_SCHEMA_CHANGE_SECONDS", "300", "Interval of schema_change_sensor, seconds", rule=_whole(1)
)
AUTOMATION_SECONDS = Variable(
    "TWD_AUTOMATION_SECONDS",
    "30",
    "Interval of the automation-condition sensors, seconds",
    rule=_whole(1),
)
TIMEZONE = Variable(
    "TWD_TIMEZONE", "UTC", "Time zone of schedules and of a day of statistics", rule=_TIME_ZONE
)
ALERT_WEBHOOK_URL = Variable(
    "TWD_ALERT_WEBHOOK_URL",
    "",
    "Webhook that gets alerts; empty = kept in twd.alerts only",
    secret=True,
    rule=_HTTP,
)
AlertStyle = Literal["slack", "discord", "markdown", "json"]
ALERT_STYLES: tuple[AlertStyle, ...] = get_args(AlertStyle)
ALERT_FORMATS = ("auto", *ALERT_STYLES)
ALERT_FORMAT = Variable(
    "TWD_ALERT_FORMAT",
    "auto",
    f"Format of that webhook: {', '.join(ALERT_STYLES)}, or auto = told by its address",
    rule=one_of(*ALERT_FORMATS),
)
UI_URL = Variable(
    "TWD_UI_URL", "http://127.0.0.1:3000", "Address of the Dagster UI, for links", rule=_HTTP
)
RUN_MAX_RETRIES = Variable(
    "TWD_RUN_MAX_RETRIES", "3", "Retries of an asset after a passing error", rule=_whole(0)
)
RUN_RETRY_SECONDS = Variable(
    "TWD_RUN_RETRY_SECONDS", "10", "Wait before such a retry, seconds", rule=_whole(0)
)
RECALL_BOUND = Variable(
    "TWD_RECALL_BOUND",
    "0.6",
    "Recall@5 under which an evaluation warns and nothing is replaced uncompared, 0 to 1",
    rule=_SHARE,
)
PROMOTION_TOLERANCE = Variable(
    "TWD_PROMOTION_TOLERANCE",
    "0.01",
    "Share by which recall@5 of a new knowledge base may be lower before it is held back, 0 to 1",
    rule=_SHARE,
)
QUESTION_CHARACTERS = Variable(
    "TWD_QUESTION_CHARACTERS",
    "200",
    "Characters that statistics keep of a question's text; 0 = texts are not kept",
    rule=_whole(0),
)
LATE_DAYS = Variable(
    "TWD_LATE_DAYS",
    "7",
    "Days back in which late messages have a day measured again; 0 = none",
    rule=_whole(0, _MOST_DAYS),
)
FRESHNESS_SECONDS = Variable(
    "TWD_FRESHNESS_SECONDS",
    "900",
    "Objective: within it a change of a source is in its knowledge base, seconds",
    rule=_whole(1),
)
MAX_CONCURRENT_RUNS = Variable(
    "TWD_MAX_CONCURRENT_RUNS", "4", "Runs at once over all locations (dagster.yaml)", rule=_whole(1)
)
COMPUTE_LOG_DIR = Variable(
    "TWD_COMPUTE_LOG_DIR", None, "Folder of the runs' stdout and stderr (dagster.yaml)"
)
ARTIFACT_DIR = Variable("TWD_ARTIFACT_DIR", None, "Folder of Dagster's local files (dagster.yaml)")

VARIABLES = tuple(item for item in globals().values() if isinstance(item, Variable))
"""All of the above, in their order."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What definitions need to know before anything runs: intervals, bounds, zone. No secrets."""

    new_connection_seconds: int = 30
    schema_change_seconds: int = 300
    automation_seconds: int = 30
    timezone: str = "UTC"
    run_max_retries: int = 3
    run_retry_seconds: int = 10
    recall_bound: float = 0.6
    promotion_tolerance: float = 0.01
    question_characters: int = 200
    late_days: int = 7
    drop_share: float = 0.3
    confirm_seconds: int = 30
    snapshot_days: int = 0
    run_days: int = 90
    ui_url: str = "http://127.0.0.1:3000"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings from `environment`; raises ConfigurationError on a bad value."""
        return cls(
            new_connection_seconds=whole_number(environment, NEW_CONNECTION_SECONDS),
            schema_change_seconds=whole_number(environment, SCHEMA_CHANGE_SECONDS),
            automation_seconds=whole_number(environment, AUTOMATION_SECONDS),
            timezone=value_of(environment, TIMEZONE),
            run_max_retries=whole_number(environment, RUN_MAX_RETRIES),
            run_retry_seconds=whole_number(environment, RUN_RETRY_SECONDS),
            recall_bound=float(value_of(environment, RECALL_BOUND)),
            promotion_tolerance=float(value_of(environment, PROMOTION_TOLERANCE)),
            question_characters=whole_number(environment, QUESTION_CHARACTERS),
            late_days=whole_number(environment, LATE_DAYS),
            drop_share=float(value_of(environment, DROP_SHARE)),
            confirm_seconds=whole_number(environment, CONFIRM_SECONDS),
            snapshot_days=whole_number(environment, SNAPSHOT_DAYS),
            run_days=whole_number(environment, RUN_DAYS),
            ui_url=value_of(environment, UI_URL).rstrip("/"),
        )


def value_of(environment: Mapping[str, str], variable: Variable) -> str:
    """The variable's value or default; raises ConfigurationError if that is missing or wrong."""
    value = environment.get(variable.name) or variable.default
    if value is None:
        raise ConfigurationError(
            f"{variable.name} is not set. It names: {variable.purpose}. "
            "See the configuration table in README.md."
        )
    if value and variable.rule and not variable.rule.is_kept(value):
        # An address may hold a password or a key where none belongs.
        is_hidden = variable.secret or "@" in value or "?" in value
        shown = "" if is_hidden else f", not {value!r}"
        raise ConfigurationError(f"{variable.name} must be {variable.rule.words}{shown}.")
    return value


def whole_number(environment: Mapping[str, str], variable: Variable) -> int:
    """The value of a variable whose rule is a whole number; raises as `value_of`."""
    return int(value_of(environment, variable))


def check(environment: Mapping[str, str]) -> None:
    """Read every variable that is set; raises ConfigurationError for the first that is wrong."""
    for variable in VARIABLES:
        if environment.get(variable.name):
            value_of(environment, variable)


def entries_of(text: str) -> tuple[str, ...]:
    """The entries of a comma-separated list, without blanks around them."""
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())
