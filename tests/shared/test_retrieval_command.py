"""The command that asks: what it says when it cannot answer."""

from __future__ import annotations

from typing import Any

import pytest

from twd_shared.retrieval.__main__ import main


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, services: Any, metadata_dsn: str) -> None:
    values = {
        "TWD_METADATA_DSN": metadata_dsn,
        "QDRANT_URL": services.qdrant,
        "QDRANT_API_KEY": "",
        "OLLAMA_BASE_URL": services.ollama,
        "TWD_EMBED_MODEL": services.embed_model,
        "TWD_LLM_MODEL": "",
        "TWD_INDEX_ALIAS": "t_" + metadata_dsn.rpartition("/")[2],
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_an_unknown_database_lists_the_known_ones(
    environment: None, registry: Any, capsys: Any
) -> None:
    assert main(["--database", "shap", "how many?"]) == 2
    assert "No database 'shap' is connected. Known: shop." in capsys.readouterr().err


def test_without_any_database_it_says_so(environment: None, capsys: Any) -> None:
    assert main(["--database", "shop", "how many?"]) == 2
    assert "Known: none yet." in capsys.readouterr().err


def test_a_database_that_is_not_indexed_yet_is_told_apart(
    environment: None, registry: Any, capsys: Any
) -> None:
    assert main(["--database", "shop", "how many?"]) == 1
    assert "holds nothing of shop yet" in capsys.readouterr().out


def test_a_metadata_database_that_is_down_is_named_without_its_password(
    environment: None, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("TWD_METADATA_DSN", "postgresql://twd:canary@127.0.0.1:9/twd")
    assert main(["--database", "shop", "how many?"]) == 2
    said = capsys.readouterr().err
    assert "127.0.0.1:9/twd is not available" in said
    assert "canary" not in said


def test_an_embedding_model_that_is_missing_comes_with_the_command_that_fetches_it(
    environment: None, registry: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("TWD_EMBED_MODEL", "no-such-model")
    assert main(["--database", "shop", "how many?"]) == 2
    assert "ollama pull no-such-model" in capsys.readouterr().err
