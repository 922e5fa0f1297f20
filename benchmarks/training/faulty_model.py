"""The Ollama protocol behind a relay that can be told to go wrong as model servers do."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx


class FaultyModel:
    """Forwards a port of 127.0.0.1 to a model server; without a fault nothing is altered.

    `prefix` is put before each text. With `swapped` each text gets a vector of another model, which
    the list of models tells by another digest if `swap_is_told`.
    """

    def __init__(self, target: str) -> None:
        """`target` is the server's address; nothing is served outside of `with`."""
        self.prefix = ""
        self.swapped = ""
        self.swap_is_told = False
        self._http = httpx.Client(base_url=target, timeout=60)
        model, http = self, self._http

        class Relay(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # A body would wait for word of its headers.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                given = http.get(self.path)
                answer = given.json()
                if self.path == "/api/tags" and model.swapped and model.swap_is_told:
                    for one in answer["models"]:
                        one["digest"] = hashlib.sha256(model.swapped.encode()).hexdigest()
                self._answer(given.status_code, answer)

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                texts: list[str] = []
                if self.path == "/api/embed":
                    texts = asked["input"]
                    asked["input"] = [model.prefix + text for text in texts]
                given = http.post(self.path, json=asked)
                answer = given.json()
                if model.swapped and "embeddings" in answer:
                    size = len(answer["embeddings"][0])
                    answer["embeddings"] = [_other(model.swapped, text, size) for text in texts]
                self._answer(given.status_code, answer)

            def _answer(self, status: int, answer: Any) -> None:
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FaultyModel:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._http.close()

    def mend(self) -> None:
        """Be the server's own model again."""
        self.prefix, self.swapped, self.swap_is_told = "", "", False


def _other(model: str, text: str, size: int) -> list[float]:
    """A vector that the name of a model and a text determine, and that knows no meaning."""
    numbers = random.Random(hashlib.sha256(f"{model} {text}".encode()).digest())
    return [numbers.gauss(0, 1) for _ in range(size)]
