"""A real webhook for tests: it keeps what it is sent, and can fail in all ways a webhook fails."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal


@dataclass
class Answer:
    """What the webhook does with one message.

    hang: reads it and says nothing. drip: answers one byte at a time, for ever. stall: answers, and
    its body never ends. reset: reads it and breaks the connection.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    manner: Literal["answer", "hang", "drip", "stall", "reset"] = "answer"


class WebhookServer:
    """Answers each message by the next of `answers`, and when they are used up by `answer`."""

    def __init__(self) -> None:
        self.answer = Answer()
        self.answers: list[Answer] = []
        self.fails_at: set[str] = set()
        """Keys of messages that it always answers with `failure`."""
        self.failure = Answer(500)
        self.posted: list[dict[str, Any]] = []
        """Every message that arrived, taken or not."""
        self.paths: list[str] = []
        """Paths and queries that they were sent to."""
        self.taken: list[dict[str, Any]] = []
        self.times: list[float] = []
        self._closing = threading.Event()
        self._lock = threading.Lock()
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with webhook._lock:
                    answer = webhook.answers.pop(0) if webhook.answers else webhook.answer
                    if message.get("key") in webhook.fails_at:
                        answer = webhook.failure
                    webhook.posted.append(message)
                    webhook.paths.append(self.path)
                    webhook.times.append(time.monotonic())
                    if answer.manner == "answer" and answer.status < 300:
                        webhook.taken.append(message)
                match answer.manner:
                    case "answer":
                        self.send_response(answer.status)
                        for name, value in answer.headers.items():
                            self.send_header(name, value)
                        self.send_header("content-length", str(len(answer.body)))
                        self.end_headers()
                        self.wfile.write(answer.body)
                    case "hang":
                        webhook._closing.wait()
                    case "stall":
                        self.send_response(answer.status)
                        self.send_header("content-length", str(len(answer.body) + 1))
                        self.end_headers()
                        self.wfile.write(answer.body)
                        webhook._closing.wait()
                    case "drip":
                        self._drip()
                    case "reset":
                        now = struct.pack("ii", 1, 0)
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
                        self.connection.close()

            def _drip(self) -> None:
                try:
                    while not webhook._closing.wait(0.05):
                        self.wfile.write(b"H")
                except OSError:
                    pass

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that gave up is part of the tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks/secret-token"

    @property
    def titles(self) -> list[str]:
        """Titles of the messages that were taken, in their order."""
        return [message["title"] for message in self.taken]

    def wait_for_a_message(self) -> None:
        """Until one has arrived; fails after 20 s."""
        deadline = time.monotonic() + 20
        while not self.posted:
            assert time.monotonic() < deadline, "no message came"
            time.sleep(0.01)

    def close(self) -> None:
        """Stop serving and let go of whoever hangs."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
