"""A TCP proxy that puts a server farther away: every byte arrives later, none is slower."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType

_CHUNK_BYTES = 1 << 16
_UnderWay = SimpleQueue[tuple[float, bytes]]
"""What was sent and when it arrives; no bytes = the end."""


class DistantServer:
    """Forwards 127.0.0.1:`port` to another port of it, with half the round trip on each way.

    What is under way does not wait for what was sent before it: throughput stays the server's.
    """

    def __init__(self, target_port: int, round_trip_seconds: float) -> None:
        """`round_trip_seconds` is what one question and its answer take longer than without."""
        self._target_port = target_port
        self._one_way_seconds = round_trip_seconds / 2
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            # Noted at once: a client that finds no server behind must be closed as well.
            self._open.append(client)
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                return
            self._open.append(server)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink in ((client, server), (server, client)):
                under_way: _UnderWay = SimpleQueue()
                for work, end in ((self._take, source), (self._deliver, sink)):
                    threading.Thread(target=work, args=(end, under_way), daemon=True).start()

    def _take(self, source: socket.socket, under_way: _UnderWay) -> None:
        data = b"not yet the end"
        while data:
            try:
                data = source.recv(_CHUNK_BYTES)
            except OSError:
                data = b""
            under_way.put((time.monotonic() + self._one_way_seconds, data))

    def _deliver(self, sink: socket.socket, under_way: _UnderWay) -> None:
        with suppress(OSError):
            while True:
                due, data = under_way.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    # The end travels like all else.
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)

    def __enter__(self) -> DistantServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Closing alone would leave the thread waiting in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for end in self._open:
            end.close()
