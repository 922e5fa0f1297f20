"""Commands whose output nobody reads to its end, as when it goes to `head`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping


def run_unread(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run Python with these arguments, its output closed at once; gives status and errors."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    return subprocess.CompletedProcess(process.args, process.returncode, stderr=said)
