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
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment({name: value})


def test_a_required_variable_that_is_missing_says_what_it_is_for() -> None:
    with pytest.raises(ConfigurationError, match=r"TWD_METADATA_DSN is not set.*PostgreSQL"):
        settings.value_of({}, settings.METADATA_DSN)


def test_every_declared_variable_is_in_the_list_once() -> None:
    declared = [item for item in vars(settings).values() if isinstance(item, settings.Variable)]
    assert sorted(item.name for item in declared) == sorted(v.name for v in settings.VARIABLES)
    assert len({item.name for item in declared}) == len(declared)


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
