"""The Ollama client and servers that are slower than it waits: it sends less at once."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from twd_shared.clients.ollama import Ollama
from twd_shared.errors import EmbeddingTimedOut

TEXTS = [f"table number {number}" for number in range(100)]


@pytest.fixture
def slow() -> Iterator[str]:
    """Address of a server that needs 40 ms a text: 2.6 s for the 64 of a whole call."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "twd_local.ollama_server", "--port", str(port)]
    with subprocess.Popen([*command, "--delay-text-ms", "40"]) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 30
            while not _answers(address):
                assert process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server did not answer in time"
                time.sleep(0.05)
            yield address
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=1).is_success
    except httpx.HTTPError:
        return False


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
