"""Releases of a code location: an unchanging folder of sources and an environment of its own.

A code server and the runs it started live in the release they began with; a deploy builds another
one beside it. A release is named after its content, so the same sources are built once. One that
was killed while being built has no mark of completion: it is built again, or deleted in time.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from twd_local.deploy.content import content_name
from twd_local.stack.errors import StackError

KEPT_RELEASES = 3
_COMPLETE = "complete"
_CURRENT = "current"
_STAGING = "staging"


@dataclass(frozen=True, slots=True)
class Release:
    """One built release; `is_new` says whether it was built just now, in `seconds`."""

    path: Path
    is_new: bool
    seconds: float

    @property
    def location(self) -> str:
        """The location whose sources it holds."""
        return self.path.parent.name

    @property
    def python(self) -> Path:
        """The interpreter of the release."""
        return self.path / "venv" / "bin" / "python"

    def discard(self) -> None:
        """Count it no longer as a release, so that it takes no place of one that serves."""
        if self.path != current(self.path.parents[1], self.location):
            (self.path / _COMPLETE).unlink(missing_ok=True)

    def make_current(self) -> None:
        """Let the next start of the code server use this release."""
        point_current_to(self.path)


def point_current_to(path: Path) -> None:
    """Move the link `current` to the release at `path`, in one step."""
    temporary = path.parent / f".{_CURRENT}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(path.name)
    temporary.replace(path.parent / _CURRENT)


def current(releases: Path, location: str) -> Path | None:
    """The release that the code server of `location` starts with; None before the first one."""
    link = releases / location / _CURRENT
    return link.resolve() if link.is_symlink() and link.exists() else None


def build(repository: Path, releases: Path, location: str) -> Release:
    """Build a release of `location` as it is now in `repository`, unless there is one already.

    Raises: StackError when there are no such sources, or with the end of the installer's output.
    """
    if not (repository / "locations" / location).is_dir():
        raise StackError(
            f"{repository} is no checkout with a location {location}. Name the folder that holds "
            "libs and locations."
        )
    started = time.monotonic()
    folder = releases / location
    with _alone_in(folder):
        staging = folder / _STAGING
        _copy_sources(repository, location, staging)
        release = folder / content_name(staging, staging.rglob("*"), sys.version)
        is_new = not (release / _COMPLETE).exists()
        if is_new:
            shutil.rmtree(release, ignore_errors=True)
            staging.rename(release)
            _install(release, location)
            (release / _COMPLETE).touch()
        else:
            shutil.rmtree(staging)
            (release / _COMPLETE).touch()  # used again: not the first to be deleted
        return Release(release, is_new, time.monotonic() - started)


def prune(releases: Path, location: str) -> list[Path]:
    """Delete old releases, and what was left of builds and trials that failed.

    The newest ones, the current one and those in use are kept.
    """
    folder = releases / location
    with _alone_in(folder):
        found = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
        complete = sorted(
            (path for path in found if (path / _COMPLETE).exists()),
            key=lambda release: (release / _COMPLETE).stat().st_mtime,
            reverse=True,
        )
        keep = {current(releases, location), *complete[:KEPT_RELEASES]}
        old = sorted(path for path in found if path not in keep and not _is_in_use(path))
        for release in old:
            # First: a half-deleted release is not a release.
            (release / _COMPLETE).unlink(missing_ok=True)
            shutil.rmtree(release, ignore_errors=True)
    return old


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Be the only one that builds or deletes releases in `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy_sources(repository: Path, location: str, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    # The last three are of editors: copies, and Emacs' locks, links that lead to nothing.
    unwanted = shutil.ignore_patterns(
        "__pycache__", "*.py[co]", "*.egg-info", ".#*", "*~", ".*.sw?"
    )
    for package in (Path("libs/twd_shared"), Path("locations") / location):
        copy = target / "src" / package.name
        shutil.copytree(repository / package / "src", copy / "src", ignore=unwanted)
        for name in ("pyproject.toml", "requirements.txt"):
            if (repository / package / name).exists():
                shutil.copy2(repository / package / name, copy / name)


def _install(release: Path, location: str) -> None:
    uv = str(Path(sys.executable).parent / "uv")
    python = str(release / "venv" / "bin" / "python")
    shared, own = (str(release / "src" / name) for name in ("twd_shared", location))
    install = [uv, "pip", "install", "--quiet", "--python", python]
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(release / "venv")],
        [*install, "--require-hashes", "-r", f"{own}/requirements.txt"],
        # Plain copies, without dependencies: those are pinned, and installed already.
        [*install, "--no-deps", shared, own],
    ):
        completed = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=release
        )
        if completed.returncode:
            said = "\n".join(f"  {line}" for line in completed.stderr.splitlines()[-20:])
            raise StackError(
                f"The environment of location {location} could not be built:\n{said}\n"
                "Put right what it says, and try again. If it is the network: check it, or the "
                "package index that uv is configured to use (UV_DEFAULT_INDEX, UV_FIND_LINKS)."
            )


def _is_in_use(release: Path) -> bool:
    # A run of a deleted release would fail at its next import.
    prefix = f"{release}{os.sep}"
    for process in psutil.process_iter():
        try:
            if any(part.startswith(prefix) for part in process.cmdline()):
                return True
        except psutil.Error:
            continue
    return False
