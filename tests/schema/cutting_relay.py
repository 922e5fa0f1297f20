"""A TCP relay before a server that cuts a session after so many bytes of answers."""

from __future__ import annotations

import select
import socket
import struct
import threading
from contextlib import suppress

_RESET = struct.pack("ii", 1, 0)


class CuttingRelay:
    """Forwards 127.0.0.1:`port` to a server's port; `answered` counts its bytes over sessions."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.answered = 0
        self._left: int | None = None
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut_after(self, answered: int | None) -> None:
        """Reset each session once so many bytes were answered from now on; None = never."""
        self._left, self.answered = answered, 0

    def close(self) -> None:
        """Stop listening; what is open breaks."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target_port)) as server:
            with suppress(OSError):
                while self._pass_on(client, server):
                    pass
            # Both ends see a reset, as of a network that is gone.
            for end in (client, server):
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> bool:
        """Pass on what is there; whether the session goes on."""
        ready, _, _ = select.select([client, server], [], [])
        if client in ready:
            question = client.recv(65536)
            if not question:
                return False
            server.sendall(question)
        if server in ready:
            answer = server.recv(65536)
            self.answered += len(answer)
            if self._left is not None and self.answered > self._left:
                allowed = len(answer) - (self.answered - self._left)
                client.sendall(answer[: max(0, allowed)])
                return False
            client.sendall(answer)
            return bool(answer)
        return True
