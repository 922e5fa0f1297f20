"""The Ollama client against the real server, with faults and without, and against strangers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from twd_shared.clients import ollama
from twd_shared.clients.ollama import EmbeddingModel, Ollama
from twd_shared.errors import (
    ConfigurationError,
    EmbeddingRejected,
    EmbeddingUnavailable,
    ModelUnavailable,
    TextTooLong,
)


@pytest.fixture(autouse=True)
def no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "_ATTEMPTS", 1)


@pytest.fixture
def faults(services: Any) -> Iterator[Callable[..., None]]:
    """Make the Ollama server fail: faults({rule}, …)."""

    def spoil(*rules: dict[str, Any]) -> None:
        services.ollama_faults.write_text(json.dumps({"rules": rules}))

    yield spoil
    services.ollama_faults.unlink(missing_ok=True)


@pytest.fixture
def client(services: Any) -> Ollama:
    return Ollama(services.ollama, services.embed_model)


def embed(http_server: Any, texts: list[str]) -> list[list[float]]:
    return Ollama(http_server.url, "nomic-embed-text").embed(texts, "document")


def test_vectors_come_back_in_order_and_texts_carry_the_models_prefix(http_server: Any) -> None:
    http_server.answer({"model": "m", "embeddings": [[1.0, 0.0], [0.0, 1.0]]})
    assert embed(http_server, ["a", "b"]) == [[1.0, 0.0], [0.0, 1.0]]
    [asked] = http_server.received
    assert asked["input"] == ["search_document: a", "search_document: b"]
    assert asked["truncate"] is False


def test_nothing_to_embed_asks_nobody(http_server: Any) -> None:
    assert embed(http_server, []) == []
    assert http_server.received == []


@pytest.mark.parametrize(
    ("embeddings", "said"),
    [
        ([[float("nan"), 0.0]], "NaN or infinity"),
        ([[0.0, float("-inf")]], "NaN or infinity"),
        ([[1.0, None]], "NaN or infinity"),
        ([[]], "different dimensions"),
        ([[1.0], [1.0]], "2 vectors for 1 texts"),
        ([], "0 vectors for 1 texts"),
        ("none", "not Ollama's"),
    ],
)
def test_an_answer_that_cannot_be_indexed_is_rejected(
    http_server: Any, embeddings: object, said: str
) -> None:
    http_server.answer({"model": "m", "embeddings": embeddings})
    with pytest.raises(EmbeddingRejected, match=said):
        embed(http_server, ["a"])


def test_a_vector_that_ollama_could_not_write_as_json_is_not_asked_for_again(
    http_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ollama, "_ATTEMPTS", 3)
    http_server.status = 500
    http_server.answer({"error": "failed to encode response: json: unsupported value: NaN"})
    with pytest.raises(EmbeddingRejected, match="NaN or infinity"):
        embed(http_server, ["a"])


def test_vectors_of_different_lengths_are_rejected(http_server: Any) -> None:
    http_server.answer({"model": "m", "embeddings": [[1.0], [1.0, 0.0]]})
    with pytest.raises(EmbeddingRejected, match="different dimensions"):
        embed(http_server, ["a", "b"])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, EmbeddingRejected),
        (404, ModelUnavailable),
        (429, EmbeddingUnavailable),
        (500, EmbeddingUnavailable),
    ],
)
def test_a_refusal_is_retried_or_not(http_server: Any, status: int, error: type[Exception]) -> None:
    http_server.status = status
    http_server.answer({"error": "no"})
    with pytest.raises(error):
        embed(http_server, ["a"])


def test_html_instead_of_json_names_the_setting(http_server: Any) -> None:
    http_server.body = b"<html>Welcome</html>"
    with pytest.raises(ConfigurationError, match=r"not answer with JSON.*OLLAMA_BASE_URL"):
        embed(http_server, ["a"])


def test_another_server_is_not_said_to_lack_a_model(http_server: Any) -> None:
    http_server.status, http_server.body = 404, b"404 page not found"
    with pytest.raises(ConfigurationError, match=r"no Ollama server.*OLLAMA_BASE_URL"):
        embed(http_server, ["a"])


def test_a_redirect_names_the_setting(http_server: Any) -> None:
    http_server.status = 307
    with pytest.raises(ConfigurationError, match=r"redirect \(307\).*OLLAMA_BASE_URL"):
        embed(http_server, ["a"])


@pytest.mark.parametrize("body", [b"", b'{"embeddings": [[0.1, 0.', b'{"embeddings": [['])
def test_an_answer_without_its_end_may_be_whole_the_next_time(
    http_server: Any, body: bytes
) -> None:
    http_server.body = body
    with pytest.raises(EmbeddingUnavailable, match="incomplete answer"):
        embed(http_server, ["a"])


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "the input length exceeds the context length"),
        (400, "input exceeds maximum context length"),
        (500, "the input length exceeds the context length"),
        (500, "input (979 tokens) is too large to process. increase the physical batch size"),
    ],
)
def test_a_text_that_is_too_long_is_told_apart_and_not_sent_again(
    http_server: Any, monkeypatch: pytest.MonkeyPatch, status: int, message: str
) -> None:
    monkeypatch.setattr(ollama, "_ATTEMPTS", 2)
    http_server.status = status
    http_server.answer({"error": message})
    with pytest.raises(TextTooLong, match="TWD_EMBED_MODEL"):
        embed(http_server, ["a"])


def test_another_refusal_is_not_taken_for_a_text_that_is_too_long(http_server: Any) -> None:
    http_server.status = 400
    http_server.answer({"error": "this model does not support embeddings"})
    with pytest.raises(EmbeddingRejected) as raised:
        embed(http_server, ["a"])
    assert not isinstance(raised.value, TextTooLong)


def test_a_server_that_is_down_is_named() -> None:
    with pytest.raises(EmbeddingUnavailable, match=r"127\.0\.0\.1:9.*OLLAMA_BASE_URL"):
        Ollama("http://127.0.0.1:9", "m").embed(["a"], "query")


def test_an_address_is_shown_without_its_password() -> None:
    with pytest.raises(EmbeddingUnavailable) as raised:
        Ollama("http://reader:hunter2@127.0.0.1:9", "m").embed(["a"], "query")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://[::1", "http://reader:hunter2/x@127.0.0.1:9"])
def test_an_address_that_is_none_names_the_setting_and_no_part_of_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="OLLAMA_BASE_URL") as raised:
        Ollama(url, "m").embed(["a"], "query")
    assert "hunter2" not in str(raised.value)


def test_without_a_language_model_the_setting_is_named() -> None:
    with pytest.raises(ModelUnavailable, match="TWD_LLM_MODEL"):
        Ollama("http://127.0.0.1:9", "m").generate("hello")


def test_what_a_language_model_thinks_aloud_is_no_part_of_its_answer(http_server: Any) -> None:
    http_server.answer({"model": "m", "response": "<think>{} or 2?</think>\nselect 1"})
    assert Ollama(http_server.url, "m", "writer").generate("hello").strip() == "select 1"


def test_how_long_a_prompt_may_be_is_told_to_the_server(http_server: Any) -> None:
    http_server.answer({"model": "m", "response": "select 1"})
    writer = Ollama(http_server.url, "m", "writer")
    assert writer.generate("hello", context_tokens=4096, answer_tokens=100) == "select 1"
    writer.generate("hello")
    told, untold = http_server.received
    assert told["options"] == {"temperature": 0, "num_ctx": 4096, "num_predict": 100}
    assert untold["options"] == {"temperature": 0}


def test_the_language_model_has_a_digest_of_its_own(http_server: Any) -> None:
    models = [{"model": "m", "digest": "d1"}, {"model": "writer:latest", "digest": "d2"}]
    http_server.answer({"models": models})
    writer = Ollama(http_server.url, "m", "writer")
    assert (writer.model, writer.digest(), writer.model_digest()) == ("writer", "d1", "d2")


@pytest.mark.integration
@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 503}, {"status": 429}, {"truncate": True}, {"reset": True}],
    ids=str,
)
def test_a_passing_fault_is_tried_again(
    client: Ollama,
    faults: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
) -> None:
    monkeypatch.setattr(ollama, "_ATTEMPTS", 2)
    expected = client.embed(["film"], "query")
    faults({"path": "/api/embed", "count": 1} | fault)
    assert client.embed(["film"], "query") == expected


@pytest.mark.integration
@pytest.mark.parametrize("fault", [{"status": 503}, {"truncate": True}, {"reset": True}], ids=str)
def test_a_lasting_fault_ends_in_an_error_that_may_be_retried_later(
    client: Ollama, faults: Callable[..., None], fault: dict[str, Any]
) -> None:
    faults({"path": "/api/embed"} | fault)
    with pytest.raises(EmbeddingUnavailable, match="/api/embed"):
        client.embed(["film"], "query")


@pytest.mark.integration
def test_a_server_that_is_slow_is_told_from_one_that_is_down(
    services: Any, faults: Callable[..., None]
) -> None:
    faults({"path": "/api/embed", "latency_ms": 2000})
    impatient = Ollama(services.ollama, services.embed_model, timeout_seconds=0.1)
    with pytest.raises(EmbeddingUnavailable, match=r"did not answer /api/embed within 0\.1 s"):
        impatient.embed(["film"], "query")


@pytest.mark.integration
def test_a_model_that_is_not_pulled_is_named_with_the_command(services: Any) -> None:
    with pytest.raises(ModelUnavailable, match="ollama pull no-such-model"):
        Ollama(services.ollama, "no-such-model").embed(["film"], "query")


@pytest.mark.integration
@pytest.mark.parametrize("name", ["twd-lexical", "twd-lexical:latest"])
def test_a_model_is_described_by_its_server(services: Any, name: str) -> None:
    asked = Ollama(services.ollama, name)
    model = asked.embedding_model()
    assert model == EmbeddingModel(name, asked.digest(), 768, 2048)
    assert len(model.digest) == 64


@pytest.mark.integration
def test_the_same_server_answers_for_another_model(client: Ollama) -> None:
    small = client.using("twd-lexical-small")
    assert small.embedding_model().dimension == 256
    assert small.digest() != client.digest()
    assert [len(vector) for vector in small.embed(["film"], "query")] == [256]


@pytest.mark.integration
def test_a_text_with_half_a_character_is_embedded_like_any_other(client: Ollama) -> None:
    assert len(client.embed(["caf\ud800"], "document")[0]) == 768


@pytest.mark.parametrize(
    ("shown", "context"),
    [
        ({"model_info": {"general.architecture": "bert", "bert.context_length": 512}}, 512),
        (
            {
                "model_info": {"general.architecture": "bert", "bert.context_length": 512},
                "parameters": 'num_ctx                        256\nstop "x"',
            },
            256,
        ),
        ({"parameters": "num_ctx 8192", "model_info": {}}, 8192),
        ({"model_info": {}}, None),
    ],
)
def test_the_lower_of_trained_and_configured_context_counts(
    http_server: Any, shown: dict[str, Any], context: int | None
) -> None:
    http_server.answer({"models": [], "embeddings": [[1.0, 0.0]]} | shown)
    assert Ollama(http_server.url, "m").embedding_model().context_tokens == context


def test_an_untagged_digest_is_not_taken_from_another_model(http_server: Any) -> None:
    http_server.answer({"models": [{"model": "mm:latest", "digest": "d"}]})
    assert Ollama(http_server.url, "m").digest() == ""
