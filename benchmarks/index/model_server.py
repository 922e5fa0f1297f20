"""The Ollama protocol at a fixed pace, and a relay that counts what is embedded."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import httpx

MODEL = "twd-lexical"
CALL_SECONDS = 0.020
TEXT_SECONDS = 0.005
PARALLEL = 4

_ROOT = Path(__file__).parents[2]
_READY_WITHIN_SECONDS = 30.0


@contextmanager
def paced_ollama(text_seconds: float = TEXT_SECONDS) -> Iterator[str]:
    """Address of a server that takes 20 ms a call and so long a text, four calls at once."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            str(_ROOT / ".venv/bin/python"),
            *("-m", "twd_local.ollama_server", "--port", str(port)),
            *("--delay-call-ms", f"{1000 * CALL_SECONDS:g}"),
            *("--delay-text-ms", f"{1000 * text_seconds:g}"),
            *("--parallel", str(PARALLEL)),
        ],
        stdin=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _await(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


class Calls(NamedTuple):
    """Calls of /api/embed: those with documents in them, and those that ask about the model.

    The others carry a sample of ours, to learn dimension or token rates, or try what the server
    does with a text that is too long. A client does so once for each model, whatever it embeds.
    """

    of_documents: int
    others: int


class CountingRelay:
    """Forwards a port of 127.0.0.1 to a model server and keeps what it was asked to embed."""

    def __init__(self, target: str) -> None:
        """`target` is the server's address; nothing is served outside of `with`."""
        inputs: list[Set[str]] = []
        self._inputs = inputs
        self._http = httpx.Client(base_url=target, timeout=60)
        http = self._http

        class Forward(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # A body would wait for word of its headers.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._answer(http.get(self.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/api/embed":
                    inputs.append(frozenset(json.loads(body)["input"]))
                self._answer(http.post(self.path, content=body))

            def _answer(self, answer: httpx.Response) -> None:
                self.send_response(answer.status_code)
                self.send_header("content-type", answer.headers["content-type"])
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> CountingRelay:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._http.close()

    def take_all(self) -> list[Set[str]]:
        """The texts of each call since the last time."""
        inputs, self._inputs[:] = list(self._inputs), []
        return inputs

    def take(self, documents: Set[str]) -> Calls:
        """The calls since the last time; `documents` are the texts that count as such."""
        inputs = self.take_all()
        of_documents = sum(not documents.isdisjoint(texts) for texts in inputs)
        return Calls(of_documents, len(inputs) - of_documents)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{url}/api/version", timeout=1).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise RuntimeError(f"The model server at {url} does not answer; what it said stands above.")
