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
    with socket.socket() as probe:
        # As the server itself will: sockets left in TIME_WAIT do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = "is taken by another process" if error.errno == errno.EADDRINUSE else error
            message = (
                f"{what} cannot listen on 127.0.0.1:{port}: the port {reason}. "
                "Stop that process or choose another one with --port.\n"
            )
            sys.stderr.write(message)
            raise SystemExit(2) from None


def free_port(taken: Collection[int] = ()) -> int:
    """A port on which nothing listens now, and none of `taken`."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in taken:
            return port
