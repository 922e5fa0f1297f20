"""The real Ollama-protocol server behind a proxy that can be told to go wrong.

What it answers is the real server's, but for the fault that is set.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx


class FaultyModelServer:
    """Stands at `url` in front of the server at `target`; faults may change at any time.

    `prefix` is put before each text; `digest` is told instead of the model's own; with `is_swapped`
    each text gets a vector of its own that has nothing to do with what it says. `embedded` counts
    texts.
    """

    def __init__(self, target: str) -> None:
        self.prefix = ""
        self.digest = ""
        self.is_swapped = False
        self.embedded = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = httpx.get(target + self.path)
                answer = given.json()
                if self.path == "/api/tags" and server.digest:
                    for model in answer["models"]:
                        model["digest"] = server.digest
                self._answer(given.status_code, answer)

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                texts = asked.get("input", [])
                if self.path == "/api/embed":
                    server.embedded += len(texts)
                    asked["input"] = [server.prefix + text for text in texts]
                given = httpx.post(target + self.path, json=asked, timeout=30)
                answer = given.json()
                if server.is_swapped and "embeddings" in answer:
                    size = len(answer["embeddings"][0])
                    answer["embeddings"] = [_unrelated(text, size) for text in texts]
                self._answer(given.status_code, answer)

            def _answer(self, status: int, answer: Any) -> None:
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _unrelated(text: str, size: int) -> list[float]:
    numbers = random.Random(hashlib.sha256(text.encode()).digest())
    return [numbers.gauss(0, 1) for _ in range(size)]
