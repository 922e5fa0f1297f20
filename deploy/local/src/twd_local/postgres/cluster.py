"""The data directory: making it once, checking it before every start, and the server's command.

Belongs here: what must hold before `postgres` runs. Not here: waiting for it, databases inside it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from twd_local.postgres.locations import (
    Locations,
    PostgresError,
    User,
    closed_folder,
    holds_data,
    location_file,
    owner_file,
    resolve_locations,
    used_data_dir,
)

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "logging_collector": "off",
    "log_destination": "stderr",
    # Not the machine's: Dagster writes moments of runs as its session has them, and reads UTC.
    "TimeZone": "UTC",
    "log_timezone": "UTC",
}
# Dagster connects anew for nearly each statement, and most of what that takes is repeating a hash
# 4,096 times. That is for passwords that people think of: those here are 24 random bytes.
_SETTINGS_SINCE_16 = {"scram_iterations": "1"}


def prepare(data_dir: Path, password: str, installation: Path | None = None) -> Locations:
    """Make ready to start: binaries in place, data directory made, no leftovers in the way.

    `installation`: see `resolve_locations`.

    A data directory appears under its name only when it is complete: what a killed attempt left
    behind is removed and made again. Raises: PostgresError.
    """
    if not password:
        raise PostgresError(
            "PostgreSQL needs a password for its superuser; the one given is empty."
        )
    asked = data_dir.absolute()
    _require_readable(used_data_dir(asked))
    locations = resolve_locations(asked, installation)
    data_dir = locations.data_dir
    _require_in_place(asked, locations)
    _make_passable(data_dir.parent)
    with _locked(data_dir.parent):
        _copy_binaries(locations)
        if not (data_dir / "PG_VERSION").exists():
            _initialise(locations, password)
        _own(locations)
        _clear_stale_pid(data_dir)
        _write_down(asked, data_dir)
    return locations


def remove(data_dir: Path) -> None:
    """Delete a data directory, wherever it really is. The server must be stopped."""
    asked = data_dir.absolute()
    used = used_data_dir(asked)
    shutil.rmtree(used, ignore_errors=True)
    location_file(asked).unlink(missing_ok=True)
    if used.parent != asked.parent:
        with contextlib.suppress(OSError):
            owner_file(used).unlink(missing_ok=True)
            used.parent.rmdir()


def server_command(locations: Locations, port: int) -> list[str]:
    """Return the command that runs the server in the foreground, logging to stderr."""
    command = [str(locations.bin_dir / "postgres"), "-D", str(locations.data_dir)]
    settings = _SETTINGS | _settings_of_release(locations) | {"port": str(port)}
    return command + _options(settings)


def server_environment() -> dict[str, str]:
    """Return the environment of the server: ours without anything that would change its ways."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "TWD_"))}
    return kept | {"LC_ALL": "C"}


def become(user: User | None) -> None:
    """Give up root for good. Does nothing when there is no user to become."""
    if user is not None:
        os.initgroups(user.name, user.gid)
        os.setgid(user.gid)
        os.setuid(user.uid)


def _settings_of_release(locations: Locations) -> dict[str, str]:
    return _SETTINGS_SINCE_16 if locations.major >= 16 else {}


def _options(settings: dict[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _make_passable(folder: Path) -> None:
    mask = os.umask(0o022)  # Under a stricter mask the server's user could not reach its data.
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PostgresError(f"Cannot create {folder}: {error.strerror}.") from None
    finally:
        os.umask(mask)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _copy_binaries(locations: Locations) -> None:
    target = locations.copied_to
    if target is None or target.exists():
        return
    _make_passable(target.parent)
    install = locations.bin_dir.parent.name
    package = locations.package_dir
    temporary = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        shutil.copytree(package / install, temporary / package.name / install, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, temporary / libraries.name)
        for folder, _, files in os.walk(temporary):
            Path(folder).chmod(0o755)
            for name in files:
                path = Path(folder, name)
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | 0o055 if folder.endswith("bin") else 0o644)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _initialise(locations: Locations, password: str) -> None:
    data_dir, user = locations.data_dir, locations.user
    if data_dir.exists() and any(data_dir.iterdir()):
        raise PostgresError(
            f"{data_dir} is not empty and is no PostgreSQL data directory. "
            "Choose another --data-dir or move it away."
        )
    for left_over in data_dir.parent.glob(f"{data_dir.name}.tmp-*"):
        shutil.rmtree(left_over)
    work = Path(tempfile.mkdtemp(prefix=f"{data_dir.name}.tmp-", dir=data_dir.parent))
    fresh, password_file = work / "data", work / "password"
    password_file.touch(0o600)
    password_file.write_text(f"{password}\n")
    if user is not None:
        os.chown(work, user.uid, user.gid)
        os.chown(password_file, user.uid, user.gid)
    # Version 17 brought a locale of its own, which no operating system can change underneath.
    locale = (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if locations.major >= 17 else []
    )
    done = subprocess.run(
        [
            str(locations.bin_dir / "initdb"),
            *("-D", str(fresh), "-U", "postgres", "-E", "UTF8", "--locale=C", *locale),
            *("--auth-host=scram-sha-256", "--auth-local=scram-sha-256"),
            f"--pwfile={password_file}",
            *_options(_settings_of_release(locations)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=server_environment(),
        user=None if user is None else user.uid,
        group=None if user is None else user.gid,
        extra_groups=None if user is None else [user.gid],
    )
    if done.returncode != 0:
        shutil.rmtree(work, ignore_errors=True)
        raise PostgresError(f"Making the data directory {data_dir} failed:\n{done.stderr.strip()}")
    fresh.rename(data_dir)
    shutil.rmtree(work)


def _require_readable(data_dir: Path) -> None:
    if os.geteuid() == 0 or not data_dir.exists():
        return
    owner = data_dir.stat().st_uid
    if owner != os.geteuid():
        raise PostgresError(
            f"{data_dir} belongs to user id {owner}, not to you (id {os.geteuid()}). "
            "Start the stack as that user (or as root), or move the directory away."
        )


def _require_in_place(asked: Path, locations: Locations) -> None:
    """Nothing if there is no data yet, or it is where it was; an empty one would look like a loss.

    Raises: PostgresError.
    """
    data_dir, user, file = locations.data_dir, locations.user, location_file(asked)
    if file.exists() and not holds_data(data_dir):
        raise PostgresError(
            f"The data is not in {data_dir}, where {file} says that it is. Put it back there, or "
            "delete that file to begin with an empty database."
        )
    closed = closed_folder(data_dir.parent, user) if user is not None else None
    if user is not None and closed is not None:
        raise PostgresError(
            f"The place of the data is {data_dir}, and the server's user {user.name} cannot get "
            f"there: it may not pass through {closed}. Let it: chmod a+x {shlex.quote(str(closed))}"
        )


def _write_down(asked: Path, data_dir: Path) -> None:
    is_here = data_dir == asked
    if not is_here:
        _write(owner_file(data_dir), str(asked))
        _make_passable(asked.parent)
    _write(location_file(asked), asked.name if is_here else str(data_dir))


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


def _own(locations: Locations) -> None:
    data_dir, user = locations.data_dir, locations.user
    if user is None or data_dir.stat().st_uid == user.uid:
        return
    for folder, _, files in os.walk(data_dir, topdown=False):
        for name in files:
            os.chown(Path(folder, name), user.uid, user.gid, follow_symlinks=False)
        # The top comes last: when it has changed hands, everything below it has.
        os.chown(folder, user.uid, user.gid)


def _clear_stale_pid(data_dir: Path) -> None:
    """Remove the pid file when its number now belongs to some other program.

    The server sees by itself that a process is dead, but takes a live stranger (after a restart of
    the machine or of a container) for itself.
    """
    pid_file = data_dir / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return
    if not psutil.pid_exists(pid):
        return
    working_here = [one.pid for one in psutil.process_iter() if _works_in(one, data_dir)]
    if pid in working_here:
        raise PostgresError(
            f"PostgreSQL already runs on {data_dir} (process {pid}). Stop it first."
        )
    if not working_here:
        pid_file.unlink()


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.name().startswith("postgres") and Path(process.cwd()) == folder.resolve()
    except (psutil.Error, OSError):
        return False
