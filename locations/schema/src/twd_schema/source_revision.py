"""Which code is running: what it made is made anew, once, by a release that changes it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType


def source_revision(modules: Iterable[ModuleType], *versions: str) -> str:
    """SHA-256 over the source of modules and packages, and over the versions, 32 hex digits."""
    digest = hashlib.sha256("".join(versions).encode())
    for module in modules:
        folders = getattr(module, "__path__", None)
        paths = (
            [path for folder in folders for path in sorted(Path(folder).rglob("*.py"))]
            if folders
            else [Path(str(module.__file__))]
        )
        for path in paths:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:32]
