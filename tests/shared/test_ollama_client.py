"""The Ollama client against a server that answers all sorts of things."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twd_shared.clients import ollama
from twd_shared.clients.ollama import Ollama
from twd_shared.errors import (
    EmbeddingRejected,
    EmbeddingUnavailable,
    ModelUnavailable,
    TextTooLong,
)


@pytest.fixture(autouse=True)
def no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "_ATTEMPTS", 1)


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
        ([[float("inf"), 0.0]], "NaN or infinity"),
        ([[]], "different dimensions"),
        ([[1.0], [1.0]], "2 vectors for 1 texts"),
        ([], "0 vectors for 1 texts"),
    ],
)
def test_an_answer_that_cannot_be_indexed_is_rejected(
    http_server: Any, embeddings: list[list[float]], said: str
) -> None:
    http_server.answer({"model": "m", "embeddings": embeddings})
    with pytest.raises(EmbeddingRejected, match=said):
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


@pytest.mark.parametrize("body", [b"<html>", json.dumps({"embeddings": "none"}).encode(), b""])
def test_an_answer_that_is_not_ollamas_is_an_error_of_ours(http_server: Any, body: bytes) -> None:
    http_server.body = body
    with pytest.raises((EmbeddingUnavailable, EmbeddingRejected)):
        embed(http_server, ["a"])


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "the input length exceeds the context length"),
        (400, "input exceeds maximum context length"),
        (500, "the input length exceeds the context length"),
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


def test_without_a_language_model_the_setting_is_named() -> None:
    with pytest.raises(ModelUnavailable, match="TWD_LLM_MODEL"):
        Ollama("http://127.0.0.1:9", "m").generate("hello")
