"""Texts that are too long for the model, on a server that refuses them as Ollama does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twd_shared.clients.embedding import LONGEST_TEXT, cut_text, embed_within, estimated_length
from twd_shared.clients.ollama import Ollama
from twd_shared.errors import EmbeddingRejected, TextTooLong

# Each sign is a token of its own: far more tokens than the estimate says.
DENSE = "a1" * 2900


class Counting(Ollama):
    """The real client, which remembers what it was asked for and what was taken."""

    def __init__(self, url: str, model: str) -> None:
        super().__init__(url, model)
        self.taken: list[str] = []
        self.calls = 0

    def embed(self, texts: Sequence[str], purpose: Any) -> list[list[float]]:
        self.calls += 1
        vectors = super().embed(texts, purpose)
        self.taken += texts
        return vectors


@pytest.fixture
def ollama(services: Any) -> Counting:
    return Counting(services.ollama, services.embed_model)


def test_only_the_texts_that_are_refused_are_cut(ollama: Counting) -> None:
    texts = [f"table number {number} holds orders" for number in range(40)]
    texts[7], texts[31] = DENSE, DENSE + "b2"
    vectors = embed_within(ollama, texts, "document")
    assert [a for a, b in zip(texts, ollama.taken, strict=True) if a != b] == [texts[7], texts[31]]
    for text, taken in zip(texts, ollama.taken, strict=True):
        assert text.startswith(taken)
        assert taken
    plain = [text for text in texts if not text.startswith("a1")]
    expected = ollama.embed(plain, "document")
    assert [v for t, v in zip(texts, vectors, strict=True) if t in plain] == expected


def test_texts_that_fit_are_asked_for_in_one_call(ollama: Counting) -> None:
    texts = ["short", "đơn hàng " * 100, "x" * 100_000]
    assert len(embed_within(ollama, texts, "document")) == 3
    assert ollama.taken[:2] == texts[:2]
    assert ollama.calls == 1
    assert embed_within(ollama, [], "document") == []


def test_a_model_that_refuses_any_length_ends_in_the_error(http_server: Any) -> None:
    http_server.status = 400
    http_server.answer({"error": "the input length exceeds the context length"})
    ollama = Counting(http_server.url, "m")
    with pytest.raises(TextTooLong):
        embed_within(ollama, ["word " * 1000], "document")
    assert 1 < ollama.calls < 20


def test_a_refusal_for_another_reason_cuts_nothing(http_server: Any) -> None:
    http_server.status = 400
    http_server.answer({"error": "invalid input"})
    ollama = Counting(http_server.url, "m")
    with pytest.raises(EmbeddingRejected):
        embed_within(ollama, ["word " * 1000, "other"], "document")
    assert ollama.calls == 1


@given(st.text(st.sampled_from("ađ💥 _1"), max_size=9000))
def test_a_cut_text_is_the_longest_beginning_within_the_limit(text: str) -> None:
    cut = cut_text(text)
    assert text.startswith(cut)
    assert estimated_length(cut) <= LONGEST_TEXT
    assert cut == text or estimated_length(cut) > LONGEST_TEXT - 6
