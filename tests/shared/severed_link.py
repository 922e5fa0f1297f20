"""A TCP relay before PostgreSQL whose machine can be cut off: it then acknowledges nothing."""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
from contextlib import suppress

# https://www.kernel.org/doc/html/latest/networking/filter.html: one instruction, "return 0", which
# has the kernel throw away what arrives before TCP sees it. Whoever owns a socket may do that.
_SO_ATTACH_FILTER = 26
_RETURN_NOTHING = struct.pack("HBBI", 6, 0, 0, 0)


class SeveredLink:
    """Forwards 127.0.0.1:`port` to a server's port; what is open can be cut off."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._clients: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def sever(self) -> None:
        """Cut off what is open, without a word to either side."""
        code = ctypes.create_string_buffer(_RETURN_NOTHING)
        program = struct.pack("HP", 1, ctypes.addressof(code))
        for client in self._clients:
            client.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def close(self) -> None:
        """Stop listening and end what is open; a second time does nothing."""
        if not self._thread.is_alive():
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            server = socket.create_connection(("127.0.0.1", self._target_port))
            for end, other in ((client, server), (server, client)):
                threading.Thread(target=_pass_on, args=(end, other), daemon=True).start()


def _pass_on(end: socket.socket, other: socket.socket) -> None:
    with suppress(OSError), other:
        while said := end.recv(65536):
            other.sendall(said)
