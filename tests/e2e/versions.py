"""Other versions of the sources, as a team would deploy them: one works, two do not."""

from __future__ import annotations

import shutil
from pathlib import Path

from twd_local.stack.home import REPOSITORY
from twd_local.stack.names import LOCATIONS

NEW_DESCRIPTION = "Requests the assets of {location}, as the new version does."
MISSING_MODULE = "a_module_that_nobody_wrote"
LAST_WORDS = "This version serves anywhere else."

_DESCRIPTION = "Requests the assets of {location} whose inputs have changed."


def new_version(folder: Path) -> Path:
    """Sources of all locations that differ in what the shared library calls a sensor."""
    sources = _copy(folder)
    module = sources / "libs/twd_shared/src/twd_shared/automation.py"
    text = module.read_text()
    assert _DESCRIPTION in text
    module.write_text(text.replace(_DESCRIPTION, NEW_DESCRIPTION))
    return sources


def version_that_does_not_load(folder: Path) -> Path:
    """Sources of all locations with an import error."""
    return _with_line(folder, f"import {MISSING_MODULE}")


def version_that_does_not_serve(folder: Path, port: int) -> Path:
    """Sources that serve where they are tried, and end the code server at `port` at its start."""
    return _with_line(folder, f"import sys\nif {str(port)!r} in sys.argv: sys.exit({LAST_WORDS!r})")


def _with_line(folder: Path, line: str) -> Path:
    sources = _copy(folder)
    for location in LOCATIONS:
        module = sources / f"locations/{location}/src/twd_{location}/definitions.py"
        module.write_text(f"{module.read_text()}\n{line}\n")
    return sources


def _copy(folder: Path) -> Path:
    unwanted = shutil.ignore_patterns(".venv", "__pycache__")
    for part in ("libs", "locations"):
        shutil.copytree(REPOSITORY / part, folder / part, ignore=unwanted)
    return folder
