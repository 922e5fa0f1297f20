"""An HTTP proxy that kills the process which sends the n-th request, before or after it acts."""

from __future__ import annotations

import http.client
import os
import re
import signal
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

Moment = Literal["before", "after"]
"""Of the kill: before the server gets the request, or after it has acted and before it answers."""

_WRITE = re.compile(r"^(PUT|PATCH|DELETE) |/points/(batch|delete)$|/aliases$")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that breaks when its process is killed."""


class KillingProxy:
    """Forwards to several servers and counts their requests together, in the order they come."""

    def __init__(self, *targets: str) -> None:
        """`targets` are addresses; `urls` are where the proxy stands in for them."""
        self.requests: list[str] = []
        self._lock = threading.Lock()
        self._victim: int | None = None
        self._number = 0
        self._moment: Moment = "before"
        self._servers = [self._serve(target) for target in targets]
        self.urls = [f"http://127.0.0.1:{server.server_port}" for server in self._servers]

    def aim(self, victim: int, number: int, moment: Moment) -> None:
        """Kill process `victim` at request `number` from now on, counted from 1; 0 = never."""
        with self._lock:
            self.requests.clear()
            self._victim, self._number, self._moment = victim, number, moment

    def turning_points(self) -> list[int]:
        """The numbers of those requests that are not just another one of the same kind."""
        kinds = [re.sub(r"\d+", "", request) for request in self.requests]
        return [
            number
            for number, kind in enumerate(kinds, start=1)
            if kind not in kinds[: number - 1] or kind not in kinds[number:]
        ]

    def writes(self) -> list[int]:
        """The numbers of the requests that change something, so that their answer matters."""
        return [
            number
            for number, request in enumerate(self.requests, start=1)
            if _WRITE.search(request)
        ]

    def close(self) -> None:
        """Stop serving."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _serve(self, target: str) -> ThreadingHTTPServer:
        proxy, address = self, urlsplit(target)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # A body would wait for word of its headers.
            disable_nagle_algorithm = True

            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if proxy._is_the_one(f"{self.command} {urlsplit(self.path).path}"):
                    if proxy._moment == "after":
                        self._ask(body)
                    proxy._kill()
                    self.close_connection = True
                    return
                status, headers, answer = self._ask(body)
                try:
                    self.send_response(status)
                    for name, value in headers:
                        if name.lower() not in _HOP_BY_HOP:
                            self.send_header(name, value)
                    self.send_header("content-length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    # It was killed while another of its requests was answered.
                    self.close_connection = True

            def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
                assert address.hostname is not None
                with closing(
                    http.client.HTTPConnection(address.hostname, address.port, timeout=30)
                ) as connection:
                    connection.request(self.command, self.path, body, dict(self.headers.items()))
                    response = connection.getresponse()
                    return response.status, response.getheaders(), response.read()

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return self._forward
                raise AttributeError(name)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return server

    def _is_the_one(self, request: str) -> bool:
        with self._lock:
            self.requests.append(request)
            return len(self.requests) == self._number

    def _kill(self) -> None:
        assert self._victim is not None
        os.kill(self._victim, signal.SIGKILL)
