"""An instance that is prepared has its pools: the first runs of all do not race to make them."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from twd_shared.contract import OLLAMA_POOL
from twd_shared.errors import ConfigurationError
from twd_shared.instance import main, prepare, require_utc


@pytest.mark.parametrize("is_on_postgresql", [False, True])
def test_the_pool_that_protects_ollama_is_there_before_the_first_run_and_at_each_later_start(
    services: Any, tmp_path: Path, is_on_postgresql: bool
) -> None:
    overrides: dict[str, Any] = {"concurrency": {"default_op_concurrency_limit": 3}}
    if is_on_postgresql:
        overrides["storage"] = {"postgres": {"postgres_url": services.database()}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as instance:
        for _ in range(2):
            prepare(instance)
        [pool] = instance.event_log_storage.get_pool_limits()
    assert (pool.name, pool.limit, pool.from_default) == (OLLAMA_POOL, 3, True)


def test_an_instance_in_which_no_run_would_ever_start_is_not_prepared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TWD_MAX_CONCURRENT_RUNS", "0")
    assert main() == 2
    assert "TWD_MAX_CONCURRENT_RUNS must be a whole number from 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("zone", "is_right"),
    [("UTC", True), ("Etc/GMT", True), ("Asia/Tokyo", False), ("Europe/London", False)],
)
def test_a_database_whose_sessions_are_not_in_utc_would_have_wrong_moments_of_runs(
    services: Any, zone: str, is_right: bool
) -> None:
    dsn = f"{services.database()}?options=-c%20timezone%3D{zone}"
    told = pytest.raises(ConfigurationError, match=f"{zone}.*alter role .* set timezone = 'UTC'")
    with nullcontext() if is_right else told:
        require_utc(dsn)
