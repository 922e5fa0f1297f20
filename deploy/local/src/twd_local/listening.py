"""Ports of 127.0.0.1: the check that a stand-in can listen on its own, and one that is free.

Not here: choosing the ports of a whole stack.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Collection


def refuse_taken_port(what: str, port: int) -> None:
    """End the process with a remedy when 127.0.0.1:`port` is taken; otherwise do nothing.

    Raises: SystemExit(2) with a message on stderr.
    """
    if (error := refusal_of(port)) is None:
        return
    reason = "is taken by another process" if error.errno == errno.EADDRINUSE else error
    sys.stderr.write(
        f"{what} cannot listen on 127.0.0.1:{port}: the port {reason}. "
        "Stop that process or choose another one with --port.\n"
    )
    raise SystemExit(2)


def refusal_of(port: int) -> OSError | None:
    """Why a server could not listen on 127.0.0.1:`port` now; None if it could."""
    with socket.socket() as probe:
        # As the server itself will: sockets left in TIME_WAIT do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error
    return None


def free_port(taken: Collection[int] = ()) -> int:
    """A port on which nothing listens now, and none of `taken`."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in taken:
            return port
