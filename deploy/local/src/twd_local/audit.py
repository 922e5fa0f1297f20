"""`python -m twd_local.audit`: known vulnerabilities of every pinned package.

Asks PyPI through pip-audit. What cannot be asked, as without a network, is said and fails nothing;
a vulnerability that is known fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twd_local.stack.home import REPOSITORY

_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Audited:
    """What was found of one file of requirements: vulnerabilities, and packages not asked about."""

    vulnerable: tuple[str, ...]
    asked: int
    not_asked: int


def pinned_files(root: Path = REPOSITORY) -> list[Path]:
    """Every file of hash-pinned requirements, except the peers and readers that tests alone use."""
    folders = ("locations/*", "deploy/*")
    return sorted(path for folder in folders for path in root.glob(f"{folder}/*requirements.txt"))


def audited(file: Path) -> Audited | None:
    """Ask about each package of a file; None if nobody could be asked."""
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner"),
                *("off", "--disable-pip", "--no-deps", "--require-hashes", "-r", str(file)),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        report = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return summary(report["dependencies"])


def summary(dependencies: Sequence[dict[str, Any]]) -> Audited:
    """What pip-audit's list of packages says."""
    asked = [one for one in dependencies if "skip_reason" not in one]
    vulnerable = tuple(
        f"{one['name']} {one['version']}: {found['id']}"
        + (f", fixed in {', '.join(found['fix_versions'])}" if found.get("fix_versions") else "")
        for one in asked
        for found in one.get("vulns", ())
    )
    return Audited(vulnerable, len(asked), len(dependencies) - len(asked))


def main() -> int:
    """Audit all files; 1 if a package has a vulnerability that is known."""
    found: set[str] = set()
    for file in pinned_files():
        name = file.relative_to(REPOSITORY)
        report = audited(file)
        if report is None:
            print(f"{name}: not audited, nobody could be asked")
            continue
        left = f", {report.not_asked} could not be asked about" if report.not_asked else ""
        print(f"{name}: {report.asked} packages audited{left}")
        found.update(report.vulnerable)
    for line in sorted(found):
        print(f"vulnerable: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
