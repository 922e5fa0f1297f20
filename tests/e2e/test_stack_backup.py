"""A backup of the running stack, put back after a loss: the sensors make good what is older."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from twd_local.backup.__main__ import main
from twd_local.backup.index_names import OurCollections
from twd_local.stack.supervision import Supervisor
from twd_shared.clients.qdrant import open_client
from twd_shared.settings import INDEX_ALIAS

from .conftest import RunningStack, until

pytestmark = pytest.mark.e2e


def test_what_was_lost_is_back_and_what_changed_since_is_found_again(
    running: RunningStack, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWD_HOME", str(running.home.root))
    folder = str(tmp_path / "backup")
    version = running.assets(shop)["training/trained_model"]["numbers"]["version"]
    answer = _ask(running)
    assert main(["save", folder]) == 0
    with closing(open_client(running.stack.environment["QDRANT_URL"])) as client:
        ours = OurCollections(client, str(INDEX_ALIAS.default))
        for name in ours.names():
            client.delete_collection(name)
        running.alter(shop, "alter table genre add column sorted_as integer")
        # Refused as long as a run is in flight, of which the sensors start some.
        until(lambda: main(["restore", folder, "--yes"]) == 0, "the backup is restored")
        assert set(Supervisor(running.home).processes()) == {
            one.name for one in running.stack.services
        }
        until(
            lambda: (
                running.assets(shop)["training/trained_model"]["numbers"]["version"] == version + 1
                and running.everything_is_fresh(shop)
            ),
            "the restored knowledge base stands on the changed schema",
            150,
        )
        assert not ours.left_beside()
    assert _ask(running) == answer


def _ask(running: RunningStack) -> set[str]:
    """The tables that a question finds."""
    words = ["--database", "shop", "tracks of an album"]
    answer = subprocess.run(
        [sys.executable, "-m", "twd_shared.retrieval", *words],
        env={**os.environ, **running.stack.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"public\.\w+", answer.stdout))
