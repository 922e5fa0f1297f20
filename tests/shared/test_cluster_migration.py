"""The Job that brings a cluster's tables up to date."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest
import yaml

from twd_shared import instance, settings
from twd_shared.contract import OLLAMA_POOL

from ..conftest import ROOT, Services


@pytest.mark.integration
def test_the_migration_prepares_the_instance_with_the_variables_that_it_is_given(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(ROOT / "dagster.yaml", home)
    dsn = services.database()
    for variable in settings.VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    job = yaml.safe_load((ROOT / "deploy/helm/migrate.yaml").read_text())
    [container] = job["spec"]["template"]["spec"]["containers"]
    for variable in container["env"]:
        value = variable.get("value", "").replace("/tmp", str(tmp_path))  # noqa: S108
        monkeypatch.setenv(variable["name"], value or dsn)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    assert instance.main() == 0
    with dg.DagsterInstance.get() as prepared:
        pools = prepared.event_log_storage.get_pool_limits()
        assert OLLAMA_POOL in {pool.name for pool in pools}
    # The folder is a ConfigMap, in which nobody can write.
    assert [path.name for path in home.iterdir()] == ["dagster.yaml"]
