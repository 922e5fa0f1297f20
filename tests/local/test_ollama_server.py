"""The Ollama-protocol server, asked by the stock client."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import ollama
import pytest

from twd_local.ollama_server.lexical import MODELS, TWD_LEXICAL, LexicalModel

from ..model_server import running

pytestmark = pytest.mark.integration
MODEL = "twd-lexical"


@pytest.fixture(scope="module")
def faults_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ollama") / "faults.json"


@pytest.fixture(scope="module")
def address(faults_file: Path) -> Iterator[str]:
    with running("--faults-file", str(faults_file)) as at:
        yield at


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[ollama.Client]:
    with ollama.Client(host=address) as stock:
        yield stock


@pytest.fixture(scope="module")
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address) as plain:
        yield plain


def test_embeds_a_list_in_order(client: ollama.Client) -> None:
    texts = ["film", "khách hàng", "", "顧客", "a'; DROP TABLE film; --\x00"]
    answer = client.embed(MODEL, texts)
    assert answer.model == MODEL
    assert len(answer.embeddings) == len(texts)
    for text, vector in zip(texts, answer.embeddings, strict=True):
        assert np.allclose(vector, TWD_LEXICAL.embed(text), atol=1e-7)
    assert answer.prompt_eval_count is not None
    assert answer.prompt_eval_count > len(texts)
    assert answer.total_duration is not None


def test_embeds_one_text_and_nothing(client: ollama.Client) -> None:
    assert len(client.embed("twd-lexical:latest", "film").embeddings) == 1
    assert client.embed(MODEL, "").embeddings == []
    assert client.embed(MODEL, []).embeddings == []
    assert np.allclose(client.embeddings(MODEL, "film").embedding, TWD_LEXICAL.embed("film"))


def test_shorter_vectors_are_unit_vectors_too(client: ollama.Client) -> None:
    (vector,) = client.embed(MODEL, "film actor", dimensions=256).embeddings
    assert len(vector) == 256
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_too_long_text_is_cut_or_refused_as_asked(client: ollama.Client) -> None:
    long = "word " * 2049
    assert client.embed(MODEL, long).prompt_eval_count == 2048
    with pytest.raises(ollama.ResponseError, match="input length exceeds") as refused:
        client.embed(MODEL, ["short", long], truncate=False)
    assert refused.value.status_code == 400
    assert len(client.embed(MODEL, "word " * 2048, truncate=False).embeddings) == 1
    with pytest.raises(ollama.ResponseError, match="input length exceeds"):
        client.embed(MODEL, "word " * 20, truncate=False, options={"num_ctx": 10})


def test_unknown_model_and_missing_llm(client: ollama.Client) -> None:
    for call in (
        lambda: client.embed("nomic-embed-text", "film"),
        lambda: client.generate("llama3.2", "hello"),
        lambda: client.chat("llama3.2", [{"role": "user", "content": "hello"}]),
        lambda: client.show("llama3.2"),
    ):
        with pytest.raises(ollama.ResponseError, match=r"model '.*' not found") as refused:
            call()
        assert refused.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match='"twd-lexical" does not support generate'):
        client.generate(MODEL, "hello")


def test_lists_its_models(client: ollama.Client, http: httpx.Client) -> None:
    assert [(m.model, m.digest) for m in client.list().models] == [
        (f"{model.name}:latest", model.digest) for model in MODELS
    ]
    assert "version" in http.get("/api/version").json()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_model_says_what_it_is_and_embeds_like_that(
    client: ollama.Client, model: LexicalModel
) -> None:
    shown = client.show(model.name)
    assert shown.capabilities == ["embedding"]
    assert shown.modelinfo is not None
    assert shown.modelinfo["lexical.embedding_length"] == model.dimensions
    assert shown.modelinfo["lexical.context_length"] == 2048
    [vector] = client.embed(model.name, ["film actor"]).embeddings
    assert np.allclose(vector, model.embed("film actor"), atol=1e-7)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "missing request body"),
        (b"{", "invalid JSON"),
        (b"[" * 100_000, "invalid JSON"),
        (b"[]", "invalid JSON"),
        (b'{"input": "x"}', "model is required"),
        (b'{"model": "twd-lexical", "input": [1]}', "invalid input type"),
        (b'{"model": "twd-lexical", "input": {"a": 1}}', "invalid input type"),
    ],
)
def test_bad_requests_are_told_so(http: httpx.Client, body: bytes, message: str) -> None:
    answer = http.post("/api/embed", content=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_lone_surrogate_is_text_like_any_other(http: httpx.Client) -> None:
    body = b'{"model": "twd-lexical", "input": "caf\\ud800"}'
    answer = http.post("/api/embed", content=body)
    assert len(answer.json()["embeddings"][0]) == 768


def test_faults_spoil_only_while_they_stand_in_the_file(
    client: ollama.Client, faults_file: Path
) -> None:
    faults_file.write_text(
        json.dumps({"rules": [{"path": "/api/embed", "status": 503, "body": {"error": "busy"}}]})
    )
    with pytest.raises(ollama.ResponseError, match="busy"):
        client.embed(MODEL, "film")
    faults_file.unlink()
    assert client.embed(MODEL, "film").embeddings


async def test_pace_is_kept_and_calls_wait_for_a_free_slot() -> None:
    with running("--delay-call-ms", "200", "--delay-text-ms", "100", "--parallel", "2") as address:
        async with ollama.AsyncClient(host=address) as client:
            started = time.perf_counter()

            async def finished() -> float:
                await client.embed(MODEL, ["a", "b"])
                return time.perf_counter() - started

            done = sorted(await asyncio.gather(*(finished() for _ in range(4))))
    # Two rounds of two calls, each 200 ms and 100 ms for both of its texts.
    assert done[0] >= 0.4
    assert 0.8 <= done[3] < 1.6, "one after the other, they would take four calls"


def test_taken_port_is_refused_with_a_remedy() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "twd_local.ollama_server", "--port", port],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 2
    assert "taken by another process" in done.stderr
    assert "--port" in done.stderr
