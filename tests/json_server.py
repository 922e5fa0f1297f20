"""A real HTTP server for tests, to which requests and answers are JSON."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from .local_server import LocalServer


class JsonServer(LocalServer):
    """Serves at `url` what `on_get` and `on_post` give: a status and a body."""

    def __init__(self) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*server.on_get(self.path))

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"null")
                self._answer(*server.on_post(self.path, asked))

            def _answer(self, status: int, body: Any) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(Handler)

    def on_get(self, path: str) -> tuple[int, Any]:
        """The answer to a GET."""
        return 404, {"error": f"nothing stands at {path}"}

    def on_post(self, path: str, asked: dict[str, Any]) -> tuple[int, Any]:
        """The answer to a POST of `asked`."""
        raise NotImplementedError
