"""A TCP relay before PostgreSQL whose machine can be cut off: it then acknowledges nothing."""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
from contextlib import suppress

from ..tcp_relay import TcpRelay

# https://www.kernel.org/doc/html/latest/networking/filter.html: one instruction, "return 0", which
# has the kernel throw away what arrives before TCP sees it. Whoever owns a socket may do that.
_SO_ATTACH_FILTER = 26
_RETURN_NOTHING = struct.pack("HBBI", 6, 0, 0, 0)


class SeveredLink(TcpRelay):
    """Forwards 127.0.0.1:`port` to a server's port; what is open can be cut off."""

    def __init__(self, target_port: int) -> None:
        self._clients: list[socket.socket] = []
        super().__init__(target_port)

    def sever(self) -> None:
        """Cut off what is open, without a word to either side."""
        code = ctypes.create_string_buffer(_RETURN_NOTHING)
        program = struct.pack("HP", 1, ctypes.addressof(code))
        for client in self._clients:
            client.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def close(self) -> None:
        """Stop listening and end what is open; a second time does nothing."""
        super().close()
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def serve(self, client: socket.socket) -> None:
        self._clients.append(client)
        server = self.connect()
        for end, other in ((client, server), (server, client)):
            threading.Thread(target=_pass_on, args=(end, other), daemon=True).start()


def _pass_on(end: socket.socket, other: socket.socket) -> None:
    with suppress(OSError), other:
        while said := end.recv(65536):
            other.sendall(said)
