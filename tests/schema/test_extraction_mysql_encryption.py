"""What `sslmode` makes of a MySQL connection, told by the first bytes that the server gets."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from twd_schema.extraction.reading import SchemaReader
from twd_shared.errors import SourceRefused, TwdError
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

from .tls_front import Authority

# https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html
CAPABILITIES = 0x00000001 | 0x00000008 | 0x00000200 | 0x00008000 | 0x00080000
SSL = 0x00000800
SSL_REQUEST_BYTES = 36

reader = SchemaReader(frozenset({"mysql"}), ReadLimits(), reach_policy("loopback", ""))


class Greeter:
    """Greets as a MySQL 8 server does, keeps the client's first packet and hangs up."""

    def __init__(self) -> None:
        self.capabilities = CAPABILITIES
        self.encryption: ssl.SSLContext | None = None
        self.first: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                with client:
                    client.settimeout(5)
                    client.sendall(self._greeting())
                    # What comes behind a request for encryption is already part of it.
                    most = SSL_REQUEST_BYTES if self.encryption else 4096
                    self.first.append(client.recv(most))
                    if self.encryption:
                        with suppress(OSError):
                            self.encryption.wrap_socket(client, server_side=True).close()

    def _greeting(self) -> bytes:
        low, high = self.capabilities & 0xFFFF, self.capabilities >> 16
        body = b"\x0a8.0.36\0" + struct.pack("<I", 1) + b"12345678\0"
        body += struct.pack("<HBHHB", low, 45, 2, high, 21) + bytes(10)
        body += b"123456789012\0mysql_native_password\0"
        return struct.pack("<I", len(body))[:3] + b"\0" + body

    def close(self) -> None:
        """Stop listening."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Greeter]:
    made = Greeter()
    yield made
    made.close()


def asked_for_encryption(server: Greeter, connection_to: Any, mode: str) -> bool:
    dsn = f"mysql://reader:pw@127.0.0.1:{server.port}/shop?sslmode={mode}"
    with pytest.raises(TwdError):
        reader.read(connection_to(dsn, "mysql"))
    [first] = server.first
    (flags,) = struct.unpack_from("<I", first, 4)
    encrypted = bool(flags & SSL)
    # Who asks for encryption says nothing more in clear.
    assert (b"reader" in first) is not encrypted
    return encrypted


@pytest.mark.parametrize(
    ("mode", "encrypted"),
    [
        ("disable", False),
        ("allow", True),
        ("prefer", True),
        ("require", True),
        ("verify-full", True),
    ],
)
def test_a_server_that_can_encrypt_is_asked_to_unless_it_is_disabled(
    server: Greeter, connection_to: Any, mode: str, encrypted: bool
) -> None:
    server.capabilities |= SSL
    assert asked_for_encryption(server, connection_to, mode) is encrypted


@pytest.mark.parametrize("mode", ["disable", "prefer"])
def test_a_server_that_cannot_encrypt_is_read_in_clear(
    server: Greeter, connection_to: Any, mode: str
) -> None:
    assert asked_for_encryption(server, connection_to, mode) is False


def test_a_server_that_cannot_encrypt_is_told_nothing_when_encryption_is_required(
    server: Greeter, connection_to: Any
) -> None:
    dsn = f"mysql://reader:pw@127.0.0.1:{server.port}/shop?sslmode=require"
    with pytest.raises(SourceRefused, match="sslmode=require"):
        reader.read(connection_to(dsn, "mysql"))
    assert server.first in ([], [b""])


def test_a_certificate_that_nobody_trusts_is_refused_where_it_is_verified(
    server: Greeter, connection_to: Any, tmp_path: Path
) -> None:
    server.capabilities |= SSL
    server.encryption = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.encryption.load_cert_chain(Authority(tmp_path).of_server)
    dsn = f"mysql://reader:pw@localhost:{server.port}/shop?sslmode=verify-full"
    with pytest.raises(SourceRefused, match="not trusted or is of another host"):
        reader.read(connection_to(dsn, "mysql"))
