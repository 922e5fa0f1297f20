"""Settings: a bad value stops at once and names its variable; errors say whether to retry."""

from __future__ import annotations

import inspect

import pytest

from twd_shared import errors, settings
from twd_shared.errors import (
    ConfigurationError,
    MetadataFailure,
    PermanentError,
    TransientError,
    TwdError,
)
from twd_shared.resources.defaults import default_resources
from twd_shared.settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


def test_values_are_read_from_the_environment() -> None:
    read = Settings.from_environment(
        {
            "TWD_NEW_CONNECTION_SECONDS": "5",
            "TWD_RUN_MAX_RETRIES": "0",
            "TWD_RECALL_BOUND": "0.25",
            "TWD_PROMOTION_TOLERANCE": "0.02",
            "TWD_DROP_SHARE": "0.5",
            "TWD_CONFIRM_SECONDS": "0",
            "TWD_SNAPSHOT_DAYS": "90",
            "TWD_RUN_DAYS": "14",
            "TWD_UI_URL": "http://ui.example/",
        }
    )
    assert (read.new_connection_seconds, read.run_max_retries) == (5, 0)
    assert (read.drop_share, read.confirm_seconds) == (0.5, 0)
    assert (read.snapshot_days, read.run_days) == (90, 14)
    assert (read.recall_bound, read.ui_url) == (0.25, "http://ui.example")
    assert read.promotion_tolerance == 0.02


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWD_NEW_CONNECTION_SECONDS", "0"),
        ("TWD_NEW_CONNECTION_SECONDS", "30s"),
        ("TWD_SCHEMA_CHANGE_SECONDS", "-1"),
        ("TWD_AUTOMATION_SECONDS", "1.5"),
        ("TWD_RUN_MAX_RETRIES", "-1"),
        ("TWD_RUN_RETRY_SECONDS", "soon"),
        ("TWD_RECALL_BOUND", "60"),
        ("TWD_RECALL_BOUND", "nan"),
        ("TWD_RECALL_BOUND", "much"),
        ("TWD_PROMOTION_TOLERANCE", "1%"),
        ("TWD_DROP_SHARE", "30"),
        ("TWD_CONFIRM_SECONDS", "-1"),
        ("TWD_SNAPSHOT_DAYS", "for ever"),
        # Not a date any more, more digits than Python reads, and digits of another script.
        ("TWD_LATE_DAYS", "99999999"),
        ("TWD_RUN_DAYS", "9" * 5000),
        ("TWD_RUN_DAYS", "\u0669"),
        ("TWD_TIMEZONE", "Mars/Olympus"),
        ("TWD_UI_URL", "ui.example"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be .*, not {value!r}"):
        Settings.from_environment({name: value})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("TWD_MAX_CONCURRENT_RUNS", "0", "a whole number from 1"),
        ("TWD_SOURCE_DIALECTS", "postgres", "some of postgresql, mysql, sqlite"),
        ("TWD_SOURCE_DIALECTS", ",", "some of postgresql, mysql, sqlite"),
        ("TWD_CATALOG", "API", "one of api, database"),
        ("TWD_SOURCE_TIMEOUT_SECONDS", "1e3", "a whole number from 1"),
        ("TWD_SOURCE_HOST_READINGS", "501", "a whole number from 1 to 500"),
        ("QDRANT_URL", "qdrant:6333", "begins with http:// or https://"),
        ("QDRANT_URL", "http://", "names a host"),
        ("QDRANT_URL", "http://qdrant:66333", "names a host"),
        ("QDRANT_URL", "http://qdrant..example", "names a host"),
        ("QDRANT_URL", "http://q drant", "names a host"),
    ],
)
def test_a_check_of_all_says_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be .*{allowed}.*, not '{value}'"):
        settings.check({name: value})


def test_ollama_may_be_named_without_a_scheme() -> None:
    settings.check({"OLLAMA_BASE_URL": "ollama.example:11434"})


def test_a_check_of_all_asks_for_nothing_that_is_not_set() -> None:
    settings.check({"TWD_METADATA_DSN": "", "TWD_MAX_CONCURRENT_RUNS": ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWD_ALERT_WEBHOOK_URL", "hooks.example/hidden"),
        ("OLLAMA_BASE_URL", "htp://user:hidden@ollama.example"),
    ],
)
def test_a_secret_is_refused_without_being_repeated(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name) as refused:
        settings.check({name: value})
    assert "hidden" not in str(refused.value)


def test_a_location_with_a_wrong_secret_does_not_load() -> None:
    with pytest.raises(ConfigurationError, match="TWD_ALERT_WEBHOOK_URL must be an address"):
        default_resources({"TWD_ALERT_WEBHOOK_URL": "hooks.example/hidden"})


def test_a_required_variable_that_is_missing_says_what_it_is_for() -> None:
    with pytest.raises(ConfigurationError, match=r"TWD_METADATA_DSN is not set.*PostgreSQL"):
        settings.value_of({}, settings.METADATA_DSN)


def test_no_name_is_declared_twice() -> None:
    assert len({item.name for item in settings.VARIABLES}) == len(settings.VARIABLES)


def test_each_error_is_either_retried_or_not() -> None:
    # Raised by nobody: the root, the branches, and what several errors have in common.
    branches = (TwdError, TransientError, PermanentError, MetadataFailure)
    own = [item for _, item in inspect.getmembers(errors, inspect.isclass) if item not in branches]
    assert own
    undecided = [
        item.__name__
        for item in own
        if issubclass(item, TransientError) == issubclass(item, PermanentError)
    ]
    assert not undecided
