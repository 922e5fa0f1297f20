"""The command that asks: what it says when it cannot answer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient

from twd_shared.clients.catalog import Connection
from twd_shared.clients.index_collections import Making, making_of
from twd_shared.clients.index_layout import LAYOUT, Point, point_id
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.qdrant import open_client
from twd_shared.clients.schema_index import SchemaIndex
from twd_shared.clients.token_budget import (
    SQL_ANSWER_TOKENS,
    WRITING_CONTEXT_TOKENS,
    TokenBudget,
    TokenRates,
)
from twd_shared.retrieval.__main__ import main
from twd_shared.store.database import MetadataDatabase
from twd_shared.terms.sparse import document_terms

from ..json_server import JsonServer


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
    [connection] = registry.known()
    registry.set_statuses({connection.connection_id: ("failing", "The password is wrong.")})
    assert main(["--database", "shop", "how many?"]) == 1
    assert "holds nothing of shop yet. The password is wrong." in capsys.readouterr().out


def test_of_a_database_that_was_taken_out_it_says_so_and_what_is_called_so_now(
    environment: None, registry: Any, capsys: Any
) -> None:
    [removed] = registry.known()
    registry.deactivate(removed.connection_id)
    assert main(["--database", "shop", "how many?"]) == 1
    gone = "shop was paused or removed in the application, and is no longer in the schema index."
    assert capsys.readouterr().out == f"{gone}\n"
    registry.register([Connection("again", "shop", "postgresql", True, "unused")])
    assert main(["--database", "shop", "how many?"]) == 1
    assert capsys.readouterr().out == f"{gone} Connected by that name now: shop-2.\n"


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1" * 20])
def test_a_limit_that_cannot_be_is_refused_before_anything_is_asked(
    limit: str, capsys: Any
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--database", "shop", f"--limit={limit}", "how many?"])
    assert "--limit: a whole number from 1" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["shop", "shap"])
def test_what_was_opened_is_closed_however_it_ends(
    environment: None, registry: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[type] = []

    def closing_is_noted(kind: type[MetadataDatabase] | type[QdrantClient]) -> None:
        close = kind.close

        def and_note(opened: Any) -> None:
            close(opened)
            closed.append(kind)

        monkeypatch.setattr(kind, "close", and_note)

    closing_is_noted(MetadataDatabase)
    closing_is_noted(QdrantClient)
    assert main(["--database", name, "how many?"]) > 0
    # The client closes itself once more when it is deleted.
    assert closed[:2] == [QdrantClient, MetadataDatabase]


def test_a_metadata_database_that_is_down_is_named_without_its_password(
    environment: None, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("TWD_METADATA_DSN", "postgresql://twd:canary@127.0.0.1:9/twd")
    assert main(["--database", "shop", "how many?"]) == 2
    said = capsys.readouterr().err
    assert "127.0.0.1:9/twd is not available" in said
    assert "canary" not in said


@pytest.fixture
def index_of_a_missing_model(environment: None) -> Iterator[None]:
    """A schema index that a model made which the server does not have any more."""
    with closing(open_client(os.environ["QDRANT_URL"])) as client:
        index = SchemaIndex(client, os.environ["TWD_INDEX_ALIAS"])
        made = index.create(
            Making("gone-model", "digest", 3, LAYOUT), TokenBudget(100, TokenRates(1, 1, 1))
        )
        index.serve(made.name)
        yield


def test_an_embedding_model_that_is_missing_comes_with_the_command_that_fetches_it(
    index_of_a_missing_model: None, registry: Any, capsys: Any
) -> None:
    assert main(["--database", "shop", "how many?"]) == 2
    assert "ollama pull gone-model" in capsys.readouterr().err


class Writer(JsonServer):
    """The server at `target` with a language model in front, which writes `written`.

    `options` are of the last call.
    """

    def __init__(self, target: str) -> None:
        self.options: dict[str, Any] = {}
        self.written = "select 1"
        self._target = target
        super().__init__()

    def on_get(self, path: str) -> tuple[int, Any]:
        given = httpx.get(self._target + path)
        return given.status_code, given.json()

    def on_post(self, path: str, asked: dict[str, Any]) -> tuple[int, Any]:
        if path != "/api/generate":
            given = httpx.post(self._target + path, json=asked, timeout=30)
            return given.status_code, given.json()
        self.options = asked["options"]
        return 200, {"response": self.written, "done": True}


@pytest.fixture
def writer(environment: None, monkeypatch: pytest.MonkeyPatch, services: Any) -> Iterator[Writer]:
    """A language model, which the environment names."""
    made = Writer(services.ollama)
    monkeypatch.setenv("OLLAMA_BASE_URL", made.url)
    monkeypatch.setenv("TWD_LLM_MODEL", "writer")
    yield made
    made.close()


@contextmanager
def indexed_table(registry: Any, ollama_url: str, model: str, name: str) -> Iterator[None]:
    """A schema index with one table of the connection."""
    [connection] = registry.known()
    ollama = Ollama(ollama_url, model)
    with closing(open_client(os.environ["QDRANT_URL"])) as client:
        index = SchemaIndex(client, os.environ["TWD_INDEX_ALIAS"])
        made = index.create(making_of(ollama.embedding_model()), ollama.token_budget())
        index.serve(made.name)
        named = {
            "connection_id": connection.connection_id,
            "schema_name": "public",
            "table_name": name,
        }
        told = {"kind": "table", "words": ["custom"], "ddl": "CREATE TABLE x ();", "card": ""}
        [vector] = ollama.embed(["customer"], "document")
        terms = document_terms(names=["customer"], columns=[], prose=[])
        place = point_id(connection.connection_id, "public", name)
        point = Point(place, vector, terms, named | told)
        index.points(connection.connection_id, made.name).upsert([point])
        yield
        client.delete_collection(made.name)


def test_the_language_model_reads_the_prompt_from_its_beginning(
    writer: Writer, registry: Any, services: Any, capsys: Any
) -> None:
    with indexed_table(registry, services.ollama, services.embed_model, "customer"):
        assert main(["--database", "shop", "how many customers?"]) == 0
    assert capsys.readouterr().out.endswith("\nselect 1\n")
    told = (writer.options["num_ctx"], writer.options["num_predict"])
    assert told == (WRITING_CONTEXT_TOKENS, SQL_ANSWER_TOKENS)


def test_neither_a_name_nor_what_a_model_writes_steers_the_terminal(
    writer: Writer, registry: Any, services: Any, capsys: Any
) -> None:
    writer.written = "select 1\n\tfrom \x1b[2Jt"
    with indexed_table(registry, services.ollama, services.embed_model, "customer\x1b[31m\nrm"):
        assert main(["--database", "shop", "--", "-customers?"]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert said.splitlines()[0].count("rm") == 1
    assert said.endswith("select 1\n        from \ufffd[2Jt\n")
