"""A TCP relay on 127.0.0.1, in threads of the test: what it does to a session is a subclass's."""

from __future__ import annotations

import socket
import threading
from abc import ABC, abstractmethod


class TcpRelay(ABC):
    """Accepts at 127.0.0.1:`port`, until it is closed; each session is served in its own thread."""

    def __init__(self, target_port: int) -> None:
        """Sessions are served from now on: a subclass has all that it needs before."""
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; a second time does nothing."""
        if not self._thread.is_alive():
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def connect(self) -> socket.socket:
        """A new connection to the server behind."""
        return socket.create_connection(("127.0.0.1", self._target_port))

    @abstractmethod
    def serve(self, client: socket.socket) -> None:
        """Serve one session until it ends."""

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()
