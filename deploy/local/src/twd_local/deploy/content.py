"""Names for what is deployed, made of its content: the same sources have the same name anywhere."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable
from pathlib import Path


def content_name(root: Path, files: Iterable[Path], beside: str = "") -> str:
    """16 hex digits of the files' paths below `root`, their contents, and a text `beside` them.

    Whether a file can be executed counts, too.
    """
    digest = hashlib.sha256(beside.encode())
    for path in sorted(path for path in files if path.is_file()):
        content = path.read_bytes()
        mode = path.stat().st_mode & stat.S_IXUSR
        digest.update(f"{path.relative_to(root)}\0{mode}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
