"""An Ollama server with one model more, whose vectors are all the same: a model that is bad.

Everything else is asked from a real server, and so is what is said of the bad model.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

FLAT = "flat"


class FlatModelServer:
    """Stands at `url` in front of the server at `target`; `FLAT` is made of its model `like`."""

    def __init__(self, target: str, like: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = httpx.get(target + self.path).json()
                if self.path == "/api/tags":
                    listed = {"model": f"{FLAT}:latest", "name": f"{FLAT}:latest"}
                    answer["models"].append({**answer["models"][0], **listed, "digest": "f" * 64})
                self._answer(200, answer)

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                is_flat = asked["model"] == FLAT
                if is_flat:
                    asked["model"] = like
                given = httpx.post(target + self.path, json=asked, timeout=30)
                answer = given.json()
                if is_flat and "embeddings" in answer:
                    same = [[1.0, *[0.0] * (len(vector) - 1)] for vector in answer["embeddings"]]
                    answer = {**answer, "model": FLAT, "embeddings": same}
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
