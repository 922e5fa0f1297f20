"""Where tests' servers keep their files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
# What the servers of two suites at once may hold, with as much again to spare.
_ROOM_BYTES = 4_000_000_000


def servers_folder() -> str:
    """Where the servers keep their files: in memory where that is roomy, as on most of Linux.

    Their data is thrown away, and Qdrant's engine waits for the disk dozens of times to make one
    collection. A process that is killed loses no more here than on a disk.
    """
    usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    if usable and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES:
        return str(_MEMORY)
    return tempfile.gettempdir()
