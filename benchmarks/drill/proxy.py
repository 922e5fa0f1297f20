"""A TCP proxy on 127.0.0.1 that is slow, breaks connections or falls silent when told to."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Literal, TypeVar

T = TypeVar("T")

Weather = Literal["fair", "slow", "reset", "silent"]
"""What becomes of bytes: passed on; passed on late; connections are reset; nothing arrives."""

_DELAY_SECONDS = 0.4
_CHUNK = 65536


class Link:
    """Stands between the stack and one server; `port` is where the server seems to be."""

    def __init__(self, name: str, target_port: int) -> None:
        """Forwards to 127.0.0.1:`target_port` from now on."""
        self.name = name
        self._target_port = target_port
        self._weather: Weather = "fair"
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def turn(self, weather: Weather) -> None:
        """Change the weather; connections that were open in `reset` and `silent` are lost."""
        self._run(self._turn(weather))

    def close(self) -> None:
        """Stop listening and drop every connection."""
        self._run(self._turn("reset"))
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _turn(self, weather: Weather) -> None:
        # What waited in silence never gets an answer: those who wait learn it when it is over, as
        # from a firewall that forgot them.
        if weather == "reset" or self._weather == "silent":
            for writer in list(self._writers):
                _reset(writer)
        self._weather = weather

    async def _end(self) -> None:
        self._server.close()
        # Their connections are aborted: they end by themselves.
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._weather == "reset":
            _reset(writer)
            return
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a server calls this in a task
        self._tasks.add(task)
        upstream: asyncio.StreamWriter | None = None
        try:
            with suppress(OSError):
                answers, upstream = await asyncio.open_connection("127.0.0.1", self._target_port)
                self._writers.add(upstream)
                await asyncio.gather(
                    self._pass(reader, upstream, 0), self._pass(answers, writer, _DELAY_SECONDS)
                )
        finally:
            self._tasks.discard(task)
            for one in filter(None, (writer, upstream)):
                self._writers.discard(one)
                one.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self._weather == "silent":
                    continue
                if self._weather == "slow":
                    await asyncio.sleep(delay)
                writer.write(data)
                await writer.drain()
        # One side has gone: so does the other, as most programs close both at once.
        writer.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)


def _reset(writer: asyncio.StreamWriter) -> None:
    transport = writer.transport
    raw = transport.get_extra_info("socket")
    if raw is not None and not transport.is_closing():
        # Lingering for zero seconds turns the close into a TCP reset.
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
