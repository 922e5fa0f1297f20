"""Files that only their owner may read, written so that a killed writer leaves no half file."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` with mode 0600, in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_private_json(path: Path, value: Any) -> None:
    """Write `value` as JSON to `path` with mode 0600, in one step."""
    write_private(path, json.dumps(value, indent=1, sort_keys=True))


def password(path: Path) -> str:
    """The password kept in `path`; generated on first use."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text().strip()
