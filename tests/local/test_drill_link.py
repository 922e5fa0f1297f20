"""The proxy of the drill: what its weather does to a connection, on real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from benchmarks.drill.proxy import Link


@pytest.fixture
def link() -> Iterator[Link]:
    """A link to a server that says everything again."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=_repeat, args=(client,), daemon=True).start()

        accepting = threading.Thread(target=serve, daemon=True)
        accepting.start()
        with closing(Link("echo", server.getsockname()[1])) as made:
            yield made
        server.shutdown(socket.SHUT_RDWR)
        accepting.join()


def test_in_fair_weather_it_passes_everything_on(link: Link) -> None:
    with _connected(link) as client:
        client.sendall(b"x" * 300_000)
        received = b""
        while len(received) < 300_000:
            received += client.recv(65536)
    assert received == b"x" * 300_000


def test_in_slow_weather_answers_come_late(link: Link) -> None:
    link.turn("slow")
    with _connected(link) as client:
        started = time.monotonic()
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
        assert time.monotonic() - started > 0.3


def test_a_reset_breaks_what_is_open_and_what_is_opened(link: Link) -> None:
    with _connected(link) as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
        link.turn("reset")
        with pytest.raises(ConnectionResetError):
            client.recv(5)
    with pytest.raises(ConnectionResetError), _connected(link) as another:
        another.recv(5)


def test_silence_keeps_connections_open_without_an_answer_and_resets_them_when_it_is_over(
    link: Link,
) -> None:
    with _connected(link) as client:
        link.turn("silent")
        client.sendall(b"hello")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(5)
        client.settimeout(5)
        link.turn("fair")
        with pytest.raises(ConnectionResetError):
            client.recv(5)
    with _connected(link) as another:
        another.sendall(b"again")
        assert another.recv(5) == b"again"


def _connected(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=5)


def _repeat(client: socket.socket) -> None:
    with client, suppress(OSError):
        while data := client.recv(65536):
            client.sendall(data)
