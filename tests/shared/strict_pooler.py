"""A TCP relay before PostgreSQL that refuses what PgBouncer refuses of a session's start."""

from __future__ import annotations

import select
import socket
import struct
from contextlib import suppress

from ..tcp_relay import TcpRelay

# https://www.pgbouncer.org/config.html#ignore_startup_parameters
_TRACKED = {
    "application_name",
    "client_encoding",
    "database",
    "datestyle",
    "standard_conforming_strings",
    "timezone",
    "user",
}
# To be encrypted, by TLS or by GSSAPI: https://www.postgresql.org/docs/current/protocol-message-formats.html
_ENCRYPTION_REQUESTS = (80877103, 80877104)


class StrictPooler(TcpRelay):
    """Forwards 127.0.0.1:`port` to a server's port, once it likes the start of a session."""

    def serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            start = _message(client)
            while struct.unpack_from("!i", start)[0] in _ENCRYPTION_REQUESTS:
                client.sendall(b"N")
                start = _message(client)
            for name in start[4:].decode().split("\0")[:-2:2]:
                if name.lower() not in _TRACKED:
                    client.sendall(_refusal(f"unsupported startup parameter: {name}"))
                    return
            with self.connect() as server:
                server.sendall(struct.pack("!i", len(start) + 4) + start)
                while _pass_on(client, server):
                    pass


def _message(client: socket.socket) -> bytes:
    length = struct.unpack("!i", _exactly(client, 4))[0]
    return _exactly(client, length - 4)


def _exactly(client: socket.socket, count: int) -> bytes:
    read = client.recv(count, socket.MSG_WAITALL)
    if len(read) < count:
        raise ConnectionResetError
    return read


def _refusal(text: str) -> bytes:
    fields = f"SFATAL\0VFATAL\0C08P01\0M{text}\0\0".encode()
    return b"E" + struct.pack("!i", len(fields) + 4) + fields


def _pass_on(client: socket.socket, server: socket.socket) -> bool:
    """Pass on what is there; whether the session goes on."""
    ready, _, _ = select.select([client, server], [], [])
    for end, other in ((client, server), (server, client)):
        if end in ready:
            said = end.recv(65536)
            if not said:
                return False
            other.sendall(said)
    return True
