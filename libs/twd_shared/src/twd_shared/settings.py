"""The names, defaults and meaning of every environment variable that production code reads.

Nothing here reads the environment when imported; `Settings.from_environment` does, when asked.
Secrets are named here but their values live in Dagster resources (`dg.EnvVar`), so that the UI
shows the variable's name and never its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from twd_shared.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: its name, its default (None = required) and what it is for."""

    name: str
    default: str | None
    purpose: str
    secret: bool = False


METADATA_DSN = Variable(
    "TWD_METADATA_DSN",
    None,
    "PostgreSQL of Dagster's storage and of the schema twd",
    secret=True,
)
APPLICATION_DSN = Variable(
    "TWD_APPLICATION_DSN", None, "The application's PostgreSQL, read only", secret=True
)
API_URL = Variable("TWD_API_URL", "http://127.0.0.1:8000", "The application's HTTP API")
CATALOG = Variable(
    "TWD_CATALOG", "api", "Where connections are listed: api, or database (database_connections)"
)
QDRANT_URL = Variable("QDRANT_URL", "http://127.0.0.1:6333", "Qdrant's REST address")
QDRANT_API_KEY = Variable("QDRANT_API_KEY", "", "Qdrant's key, if it asks for one", secret=True)
INDEX_ALIAS = Variable(
    "TWD_INDEX_ALIAS", "talkwdata_schemas", "Alias under which the schema index is read"
)
OLLAMA_BASE_URL = Variable("OLLAMA_BASE_URL", "http://127.0.0.1:11434", "Ollama's address")
EMBED_MODEL = Variable("TWD_EMBED_MODEL", "nomic-embed-text", "Ollama model that embeds texts")
LLM_MODEL = Variable(
    "TWD_LLM_MODEL", "", "Ollama model that writes SQL and describes tables; empty = none"
)
SOURCE_DIALECTS = Variable(
    "TWD_SOURCE_DIALECTS", "postgresql,mysql", "Database types that may be read, comma-separated"
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
    "TWD_SOURCE_TIMEOUT_SECONDS", "60", "Limit of one statement on a source database, seconds"
)
SOURCE_HOST_READINGS = Variable(
    "TWD_SOURCE_HOST_READINGS",
    "12",
    "Readings of sources on one host and port at once, over all runs and sensors",
)
DROP_SHARE = Variable(
    "TWD_DROP_SHARE",
    "0.3",
    "Share of a schema's tables that may vanish before a second reading must confirm it, 0 to 1",
)
CONFIRM_SECONDS = Variable("TWD_CONFIRM_SECONDS", "30", "Wait before that second reading, seconds")
SNAPSHOT_DAYS = Variable(
    "TWD_SNAPSHOT_DAYS",
    "0",
    "Days that superseded versions of a schema are kept; 0 = for ever",
)
RUN_DAYS = Variable(
    "TWD_RUN_DAYS",
    "90",
    "Days that runs which ended are kept, with events and output; 0 = for ever",
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
    "TWD_NEW_CONNECTION_SECONDS", "30", "Interval of new_connection_sensor, seconds"
)
SCHEMA_CHANGE_SECONDS = Variable(
    "TWD_SCHEMA_CHANGE_SECONDS", "300", "Interval of schema_change_sensor, seconds"
)
AUTOMATION_SECONDS = Variable(
    "TWD_AUTOMATION_SECONDS", "30", "Interval of the automation-condition sensors, seconds"
)
TIMEZONE = Variable("TWD_TIMEZONE", "UTC", "Time zone of schedules and of a day of statistics")
ALERT_WEBHOOK_URL = Variable(
    "TWD_ALERT_WEBHOOK_URL",
    "",
    "Webhook that gets alerts; empty = kept in twd.alerts only",
    secret=True,
)
ALERT_FORMAT = Variable(
    "TWD_ALERT_FORMAT",
    "auto",
    "Format of that webhook: slack, discord, json, or auto = told by its address",
)
ALERT_FORMATS = ("auto", "slack", "discord", "json")
UI_URL = Variable("TWD_UI_URL", "http://127.0.0.1:3000", "Address of the Dagster UI, for links")
RUN_MAX_RETRIES = Variable("TWD_RUN_MAX_RETRIES", "3", "Retries of an asset after a passing error")
RUN_RETRY_SECONDS = Variable("TWD_RUN_RETRY_SECONDS", "10", "Wait before such a retry, seconds")
RECALL_BOUND = Variable(
    "TWD_RECALL_BOUND",
    "0.6",
    "Recall@5 under which an evaluation warns and a new index must not fall, 0 to 1",
)
PROMOTION_TOLERANCE = Variable(
    "TWD_PROMOTION_TOLERANCE",
    "0.01",
    "Share by which recall@5 of a new knowledge base may be lower before it is held back, 0 to 1",
)
QUESTION_CHARACTERS = Variable(
    "TWD_QUESTION_CHARACTERS",
    "200",
    "Characters that statistics keep of a question's text; 0 = texts are not kept",
)
LATE_DAYS = Variable(
    "TWD_LATE_DAYS", "7", "Days back in which late messages have a day measured again; 0 = none"
)
FRESHNESS_SECONDS = Variable(
    "TWD_FRESHNESS_SECONDS",
    "900",
    "Objective: within it a change of a source is in its knowledge base, seconds",
)
MAX_CONCURRENT_RUNS = Variable(
    "TWD_MAX_CONCURRENT_RUNS", "4", "Runs at once over all locations (dagster.yaml)"
)
COMPUTE_LOG_DIR = Variable(
    "TWD_COMPUTE_LOG_DIR", None, "Folder of the runs' stdout and stderr (dagster.yaml)"
)
ARTIFACT_DIR = Variable("TWD_ARTIFACT_DIR", None, "Folder of Dagster's local files (dagster.yaml)")

VARIABLES: tuple[Variable, ...] = (
    METADATA_DSN,
    APPLICATION_DSN,
    API_URL,
    CATALOG,
    QDRANT_URL,
    QDRANT_API_KEY,
    INDEX_ALIAS,
    OLLAMA_BASE_URL,
    EMBED_MODEL,
    LLM_MODEL,
    SOURCE_DIALECTS,
    SOURCE_HOSTS,
    SOURCE_FILES,
    SOURCE_TIMEOUT_SECONDS,
    SOURCE_HOST_READINGS,
    DROP_SHARE,
    CONFIRM_SECONDS,
    SNAPSHOT_DAYS,
    RUN_DAYS,
    CONNECTION_KEYS,
    SECRETS_FOLDER,
    SCRATCH_DSN,
    NEW_CONNECTION_SECONDS,
    SCHEMA_CHANGE_SECONDS,
    AUTOMATION_SECONDS,
    TIMEZONE,
    ALERT_WEBHOOK_URL,
    ALERT_FORMAT,
    UI_URL,
    RUN_MAX_RETRIES,
    RUN_RETRY_SECONDS,
    RECALL_BOUND,
    PROMOTION_TOLERANCE,
    QUESTION_CHARACTERS,
    LATE_DAYS,
    FRESHNESS_SECONDS,
    MAX_CONCURRENT_RUNS,
    COMPUTE_LOG_DIR,
    ARTIFACT_DIR,
)


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
            new_connection_seconds=positive_number(environment, NEW_CONNECTION_SECONDS),
            schema_change_seconds=positive_number(environment, SCHEMA_CHANGE_SECONDS),
            automation_seconds=positive_number(environment, AUTOMATION_SECONDS),
            timezone=_time_zone(environment),
            run_max_retries=_whole_number(environment, RUN_MAX_RETRIES, least=0),
            run_retry_seconds=_whole_number(environment, RUN_RETRY_SECONDS, least=0),
            recall_bound=_share(environment, RECALL_BOUND),
            promotion_tolerance=_share(environment, PROMOTION_TOLERANCE),
            question_characters=_whole_number(environment, QUESTION_CHARACTERS, least=0),
            late_days=_whole_number(environment, LATE_DAYS, least=0),
            drop_share=_share(environment, DROP_SHARE),
            confirm_seconds=_whole_number(environment, CONFIRM_SECONDS, least=0),
            snapshot_days=_whole_number(environment, SNAPSHOT_DAYS, least=0),
            run_days=_whole_number(environment, RUN_DAYS, least=0),
            ui_url=value_of(environment, UI_URL).rstrip("/"),
        )


def value_of(environment: Mapping[str, str], variable: Variable) -> str:
    """The variable's value or default; raises ConfigurationError if required and unset."""
    value = environment.get(variable.name) or variable.default
    if value is None:
        raise ConfigurationError(
            f"{variable.name} is not set. It names: {variable.purpose}. "
            "See the configuration table in README.md."
        )
    return value


def alert_format(environment: Mapping[str, str]) -> str:
    """The format of alerts; raises ConfigurationError if it is none that is known."""
    name = value_of(environment, ALERT_FORMAT)
    if name not in ALERT_FORMATS:
        raise ConfigurationError(
            f"{ALERT_FORMAT.name} must be {', '.join(ALERT_FORMATS)}, not {name!r}."
        )
    return name


def _time_zone(environment: Mapping[str, str]) -> str:
    name = value_of(environment, TIMEZONE)
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ConfigurationError(
            f"{TIMEZONE.name} must name a time zone, such as UTC or Asia/Ho_Chi_Minh, not {name!r}."
        ) from None
    return name


def positive_number(environment: Mapping[str, str], variable: Variable) -> int:
    """The variable as a whole number of at least 1; raises ConfigurationError otherwise."""
    return _whole_number(environment, variable, least=1)


def _whole_number(environment: Mapping[str, str], variable: Variable, least: int) -> int:
    text = value_of(environment, variable)
    if not text.isdecimal() or int(text) < least:
        raise ConfigurationError(
            f"{variable.name} must be a whole number of at least {least}, not {text!r}."
        )
    return int(text)


def _share(environment: Mapping[str, str], variable: Variable) -> float:
    text = value_of(environment, variable)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ConfigurationError(f"{variable.name} must be a number from 0 to 1, not {text!r}.")
    return value
