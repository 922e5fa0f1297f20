"""A TCP proxy that holds back each answer, for a source that is slow but alive."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType


class SlowProxy:
    """Forwards 127.0.0.1:`port` to another port, waiting before it passes on each answer."""

    def __init__(self, target_port: int, wait_seconds: float) -> None:
        self._target_port = target_port
        self.wait_seconds = wait_seconds
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
            with suppress(OSError):
                server = socket.create_connection(("127.0.0.1", self._target_port))
                self._open.append(server)
                for source, sink, waits in ((client, server, False), (server, client, True)):
                    threading.Thread(
                        target=self._forward, args=(source, sink, waits), daemon=True
                    ).start()

    def _forward(self, source: socket.socket, sink: socket.socket, waits: bool) -> None:
        try:
            while data := source.recv(1 << 20):
                if waits:
                    time.sleep(self.wait_seconds)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> SlowProxy:
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
