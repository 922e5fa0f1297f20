"""What an application's results say of an error."""

from __future__ import annotations

import json
import time

import pytest

from twd_shared.clients.messages import error_in_result


@pytest.mark.parametrize("error", [None, "", " ", "null", {}, [], "{ }", False])
def test_an_error_that_says_nothing_is_none(error: object) -> None:
    assert error_in_result(json.dumps({"error": error, "rows": [[1]]})) is None


@pytest.mark.parametrize("error", ["no such table", {"code": 7}, [""], True])
def test_any_other_error_is_one(error: object) -> None:
    result = json.dumps({"error": error})
    assert error_in_result(result) == result


def test_an_error_of_blanks_keeps_nobody_busy() -> None:
    begun = time.process_time()
    assert error_in_result(json.dumps({"error": " " * 200_000 + "x"})) is not None
    assert time.process_time() - begun < 1
