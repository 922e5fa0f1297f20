"""Prints dagster.yaml with the sections of further files in the place of its own.

python instance.py dagster.yaml python-logs.yaml docker-runs.yaml
"""

import sys
from pathlib import Path

import yaml


def merged(paths: list[str]) -> str:
    """The instance file that consists of the sections of all `paths`; a later one replaces."""
    sections: dict[str, object] = {}
    for path in paths:
        sections |= yaml.safe_load(Path(path).read_text())
    return yaml.safe_dump(sections, sort_keys=False)


if __name__ == "__main__":
    sys.stdout.write(merged(sys.argv[1:]))
