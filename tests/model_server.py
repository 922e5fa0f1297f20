"""The Ollama-protocol server as a process of a test's own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """The server as its own process; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "twd_local.ollama_server", "--port", str(port), *arguments]
    with subprocess.Popen(command) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + 15
            while True:
                try:
                    httpx.get(address, timeout=1).raise_for_status()
                    break
                except httpx.HTTPError:
                    assert process.poll() is None, "the server ended"
                    assert time.monotonic() < deadline, "the server did not answer in time"
                    time.sleep(0.05)
            yield address
        finally:
            process.terminate()
            process.wait(10)
