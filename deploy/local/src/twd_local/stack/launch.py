"""Becomes one process of the stack: `python launch.py SPECIFICATION.json`.

supervisord runs this file for every service. Passwords are read from a file that only the owner
may read, so that they are on no command line. Standard library only, and nothing but this: it is
gone as soon as the service runs.
"""

from __future__ import annotations

import json
import os
import sys


def main(specification: str) -> None:
    """Replace this process by the one that `specification` describes."""
    with open(specification) as file:
        service = json.load(file)
    command: list[str] = service["command"]
    release: str | None = service["release"]
    if release is not None:
        # The link is resolved once, here. A deploy moves the link while this process and the
        # runs it starts live on: their interpreter must stay the one they began with.
        real = os.path.realpath(release)
        command = [part.replace(release, real, 1) for part in command]
    os.execve(command[0], command, {**os.environ, **service["environment"]})  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1])
