"""Faults on demand for the HTTP stand-ins: latency, error answers, resets, cut-off bodies.

Belongs here: the ASGI middleware and its rule file. Not here: what a server answers when well.

The rule file is JSON and is read again whenever it changes; a missing file means no faults:

    {"rules": [{"path": "/points/query", "status": 500, "count": 2}]}

`path` (substring) and `method` choose requests; `skip` lets the first N of them pass, `count` ends
a rule after N hits, `probability` (0..1) leaves the rest to chance. The first rule that fits acts:
`latency_ms` waits first; then `reset` drops the connection, `status` answers with `body` (any
JSON), `truncate` sends the real answer's head and half of its body, or the request goes on.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Faults:
    """Outermost ASGI middleware that spoils requests as the rule file says.

    It must wrap the whole application: `reset` reaches for the server's own transport.
    """

    def __init__(self, app: ASGIApp, rules_file: Path | None) -> None:
        self._app = app
        self._file = rules_file
        self._stamp: tuple[int, int] | None = None
        self._rules: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, spoiled by the first rule that fits."""
        rule = self._choose(scope) if scope["type"] == "http" else None
        if rule is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(float(rule.get("latency_ms", 0)) / 1000)
        if rule.get("reset"):
            _drop_connection(send)
        elif "status" in rule:
            body: Any = rule.get("body", {"status": {"error": "fault asked for by the rule file"}})
            await JSONResponse(body, int(rule["status"]))(scope, receive, send)
        elif rule.get("truncate"):
            await self._truncated(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _choose(self, scope: Scope) -> dict[str, Any] | None:
        self._reload()
        for rule in self._rules:
            if rule.get("path", "") not in scope["path"]:
                continue
            if rule.get("method", scope["method"]) != scope["method"]:
                continue
            if rule.get("skip", 0) > 0:
                rule["skip"] -= 1
                continue
            if rule.get("count", 1) <= 0 or random.random() >= rule.get("probability", 1.0):
                continue
            if "count" in rule:
                rule["count"] -= 1
            return rule
        return None

    def _reload(self) -> None:
        if self._file is None:
            return
        try:
            status = self._file.stat()
        except FileNotFoundError:
            self._stamp, self._rules = None, []
            return
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            # A half-written file must not kill the server: the old rules stay until it is whole.
            try:
                self._rules = list(json.loads(self._file.read_text())["rules"])
            except (ValueError, KeyError, TypeError):
                return
            self._stamp = stamp

    async def _truncated(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in messages[1:])
        await send(messages[0])
        await send(
            {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        )
        await asyncio.sleep(0.02)  # Lets the bytes leave before the connection dies.
        _drop_connection(send)


def _drop_connection(send: Send) -> None:
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise RuntimeError("faults: `reset` needs uvicorn and must wrap the whole application")
    # Lingering for zero seconds turns the close into a TCP reset.
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    transport.abort()
