"""The Ollama client against answers that no Ollama server gives: told in a sentence, and ended."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from twd_shared.clients import ollama, ollama_http
from twd_shared.clients.ollama import Ollama
from twd_shared.errors import EmbeddingRejected, EmbeddingTimedOut


@pytest.fixture(autouse=True)
def no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama, "_ATTEMPTS", 1)


def generate(url: str, timeout_seconds: float = 20.0) -> str:
    return Ollama(url, "embeds", "writer", timeout_seconds).generate("hello")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"response": "\xff"}', "it is not UTF-8"),
        (b'{"response": "x", "context": ' + b"[" * 5000, "brackets are nested too deep"),
        (b'{"response": ["x"]}', "valid string - at `response`"),
        (b'{"response": "x", "thinking": {}}', "valid string - at `thinking`"),
        (b"null", "should be a valid dictionary"),
        (b'{"response": 3, "numbers": "[NaN]"}', "valid string - at `response`"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_wrong_with_an_answer_is_told_in_short(
    http_server: Any, body: bytes, told: str
) -> None:
    http_server.body = body
    with pytest.raises(EmbeddingRejected) as raised:
        generate(http_server.url)
    assert told in str(raised.value)
    assert "http://127.0.0.1" in str(raised.value)
    assert "pydantic" not in str(raised.value)


@pytest.mark.parametrize("body", [b'{"error": "\xff"}', b'{"error": ' + b"[" * 5000])
def test_a_refusal_that_cannot_be_read_is_a_refusal(http_server: Any, body: bytes) -> None:
    http_server.status, http_server.body = 400, body
    with pytest.raises(EmbeddingRejected, match=r"refused /api/generate \(400\)"):
        generate(http_server.url)


def test_an_answer_that_does_not_end_is_not_kept_in_memory(
    http_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ollama_http, "_LONGEST_ANSWER_BYTES", 2**20)
    http_server.answer({"response": "x" * 2**20})
    with pytest.raises(EmbeddingRejected, match="does not end within 1 MiB"):
        generate(http_server.url)


@pytest.fixture
def dripping_url() -> Iterator[str]:
    """A server that sends a space now and then, and its answer when nobody should wait for it."""
    over = threading.Event()

    def answer(client: socket.socket) -> None:
        with client:
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
            for _ in range(1000):
                if over.wait(0.02):
                    return
                client.sendall(b" ")
            client.sendall(b'{"response": "at last"}')

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                answer(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        over.set()
    thread.join()


def test_a_server_that_hangs_is_given_up_before_a_model_would_have_been_loaded(
    dripping_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ollama_http, "_CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(ollama_http, "_GET_SECONDS", 1.0)
    with pytest.raises(EmbeddingTimedOut, match=r"did not answer /api/tags within 1 s\. It hangs"):
        Ollama(dripping_url, "embeds").digest()


def test_an_answer_that_comes_drop_by_drop_is_given_up(
    dripping_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ollama_http, "_CONNECT_SECONDS", 1.0)
    with pytest.raises(EmbeddingTimedOut, match="did not answer /api/generate within 1 s"):
        generate(dripping_url, timeout_seconds=1.0)
