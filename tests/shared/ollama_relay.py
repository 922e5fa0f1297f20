"""The real Ollama-protocol server behind a relay that remembers what it was asked."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler
from typing import Any

from ..local_server import LocalServer


class OllamaRelay(LocalServer):
    """Passes requests on to `upstream`; without `truncate` it is a server too old to know it."""

    def __init__(self, upstream: str, *, knows_truncate: bool = True) -> None:
        self.embedded: list[list[str]] = []
        self.paths: list[str] = []
        self.most_at_once = 0
        self._under_way: list[None] = []
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # A body would wait for word of its headers.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._pass_on(None)

            def do_POST(self) -> None:
                posted = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if self.path == "/api/embed":
                    relay.embedded.append(posted["input"])
                if not knows_truncate:
                    posted.pop("truncate", None)
                self._pass_on(posted)

            def _pass_on(self, body: dict[str, Any] | None) -> None:
                relay.paths.append(self.path)
                content = None if body is None else json.dumps(body).encode()
                request = urllib.request.Request(upstream + self.path, content)  # noqa: S310
                relay._under_way.append(None)
                relay.most_at_once = max(relay.most_at_once, len(relay._under_way))
                try:
                    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                        status, answered = answer.status, answer.read()
                except urllib.error.HTTPError as error:
                    with error:
                        status, answered = error.code, error.read()
                finally:
                    relay._under_way.pop()
                self.send_response(status)
                self.send_header("content-length", str(len(answered)))
                self.end_headers()
                self.wfile.write(answered)

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(Handler)
