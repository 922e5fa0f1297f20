"""What training may do with a connection, as the application writes it."""

from __future__ import annotations

import pytest

from twd_shared.clients.option_fields import options_in
from twd_shared.clients.training_options import TrainingOptions


@pytest.mark.parametrize("value", [None, "", {}, "{}"])
def test_nothing_is_allowed_by_default(value: object) -> None:
    options = options_in(value, TrainingOptions)
    assert (options.explain, options.messages, options.execute) == (False, False, False)


@pytest.mark.parametrize("value", [{"execute": True}, '{"execute": true}'])
def test_running_sql_is_allowed_by_itself(value: object) -> None:
    assert options_in(value, TrainingOptions) == TrainingOptions(execute=True)


@pytest.mark.parametrize("value", [{"execute": "yes"}, {"execute": 1}, {"run": True}, [], "[]"])
def test_what_cannot_be_followed_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"Expected|unknown field"):
        options_in(value, TrainingOptions)
