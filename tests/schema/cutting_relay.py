"""A TCP relay before a server that cuts a session after so many bytes of answers."""

from __future__ import annotations

import select
import socket
import struct
from contextlib import suppress

from ..tcp_relay import TcpRelay

_RESET = struct.pack("ii", 1, 0)


class CuttingRelay(TcpRelay):
    """Forwards 127.0.0.1:`port` to a server's port; `answered` counts its bytes over sessions."""

    def __init__(self, target_port: int) -> None:
        self.answered = 0
        self._left: int | None = None
        super().__init__(target_port)

    def cut_after(self, answered: int | None) -> None:
        """Reset each session once so many bytes were answered from now on; None = never."""
        self._left, self.answered = answered, 0

    def serve(self, client: socket.socket) -> None:
        with client, self.connect() as server:
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
