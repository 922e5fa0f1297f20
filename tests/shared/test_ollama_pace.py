"""The Ollama client and servers that are slower than it waits: it sends less at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from twd_shared.clients.ollama import Ollama
from twd_shared.errors import EmbeddingTimedOut

from ..model_server import running

TEXTS = [f"table number {number}" for number in range(90)]


@pytest.fixture
def slow() -> Iterator[str]:
    """Address of a server that needs 40 ms a text: 2.6 s for the 64 of a whole call."""
    with running("--delay-text-ms", "40") as address:
        yield address


@pytest.mark.integration
def test_a_server_that_is_too_slow_for_a_whole_call_gets_fewer_texts_at_once(
    services: Any, slow: str
) -> None:
    expected = Ollama(services.ollama, services.embed_model).embed(TEXTS, "document")
    patient = Ollama(slow, services.embed_model, timeout_seconds=2)
    batches = list(patient.embed_batches(TEXTS, "document"))
    vectors = {start + number: one for start, part in batches for number, one in enumerate(part)}
    assert [vectors[place] for place in range(len(TEXTS))] == expected
    assert sum(len(part) for _, part in batches) == len(TEXTS)


def test_a_server_that_does_not_even_answer_one_text_is_not_waited_for_any_longer(
    http_server: Any,
) -> None:
    http_server.hang()
    with pytest.raises(EmbeddingTimedOut, match=r"did not answer /api/embed within 0\.2 s"):
        Ollama(http_server.url, "twd-lexical", timeout_seconds=0.2).embed(TEXTS[:64], "document")
    assert [len(asked["input"]) for asked in http_server.received] == [64, 1]
