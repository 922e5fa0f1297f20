"""Where the stack keeps its files: names of folders and files, nothing that reads or writes them.

The folders are made here, and the lock is held that lets one command at a time change the stack.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from twd_local.stack.errors import StackError

REPOSITORY = Path(__file__).resolve().parents[5]

# A unix socket's path may have 107 bytes on Linux, 103 elsewhere.
_LONGEST_SOCKET_PATH = 100
# An address of a file ends at #, a line of supervisord's configuration at a blank and a semicolon.
_UNFIT = re.compile(r"#|\s;|[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one stack (TWD_HOME) and the places in it."""

    root: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Home:
        """The home that TWD_HOME names, `.twd` by default; relative to the repository.

        Raises StackError for a name that the installer or supervisord would cut off.
        """
        named = Path(environment.get("TWD_HOME") or ".twd")
        # In a file or after a sign of equality a shell does not always expand it.
        if named.parts[:1] == ("~",):
            named = named.expanduser()
        # Whichever folder a command is given in: it may be the wrong stack that it cleans.
        root = (REPOSITORY / named).resolve()
        if unfit := _UNFIT.search(str(root)):
            raise StackError(
                f"No stack can be in {str(root)!r}, as its name has {unfit[0]!r} in it. Let "
                "TWD_HOME name a folder without #, without a semicolon after a blank, and "
                "without line breaks."
            )
        return cls(root)

    @property
    def stack_id(self) -> str:
        """Marks every process of this stack; the same as long as the folder stays in place."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:16]

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.root / "logs"

    @property
    def services(self) -> Path:
        """How each process is started, passwords included: for the owner's eyes only."""
        return self.root / "services"

    @property
    def environment_file(self) -> Path:
        """The environment that the stack was started with."""
        return self.services / "environment.json"

    @property
    def secrets(self) -> Path:
        """Generated passwords, one file each."""
        return self.root / "secrets"

    @property
    def ports_file(self) -> Path:
        """The ports in use, kept so that addresses survive a restart."""
        return self.root / "ports.json"

    @property
    def releases(self) -> Path:
        """The built releases of the code locations."""
        return self.root / "releases"

    @property
    def dagster_home(self) -> Path:
        """DAGSTER_HOME of every process."""
        return self.root / "dagster_home"

    @property
    def postgres_data(self) -> Path:
        """Data folder of the local PostgreSQL."""
        return self.root / "postgres"

    @property
    def qdrant_data(self) -> Path:
        """Storage of the local vector index."""
        return self.root / "qdrant"

    @property
    def supervisor_config(self) -> Path:
        """The configuration that supervisord runs with."""
        return self.services / "supervisord.conf"

    @property
    def supervisor_socket(self) -> Path:
        """Where supervisord listens; outside the home when its path would be too long."""
        path = self.services / "supervisor.sock"
        if len(str(path).encode()) <= _LONGEST_SOCKET_PATH:
            return path
        # Not where TMPDIR says: the next command may be given in a shell with another one.
        return Path("/tmp") / f"twd-{os.getuid()}-{self.stack_id}" / "s.sock"  # noqa: S108

    @property
    def was_used(self) -> bool:
        """Whether a stack was ever started here."""
        return self.services.is_dir() or self.ports_file.is_file()

    @property
    def contents(self) -> tuple[Path, ...]:
        """What the stack keeps in its folder, which may hold files of others as well."""
        return (
            *self._private,
            *(self.ports_file, self.postgres_data, self.root / "backups", self.root / "lock"),
            # What a start that was killed has left.
            *self.root.glob(f"{self.postgres_data.name}.tmp-*"),
            *self.root.glob(f".{self.ports_file.name}.*"),
        )

    @property
    def compute_logs(self) -> Path:
        """What runs and ticks printed, unless a setting names another folder."""
        return self.root / "compute_logs"

    @property
    def artifacts(self) -> Path:
        """Dagster's local files, unless a setting names another folder."""
        return self.root / "artifacts"

    @property
    def _private(self) -> tuple[Path, ...]:
        return (
            *(self.services, self.secrets, self.logs, self.releases, self.dagster_home),
            *(self.compute_logs, self.artifacts, self.qdrant_data),
        )

    def create(self) -> None:
        """Create the folders, for their owner's eyes only; PostgreSQL makes its own."""
        self._create_root()
        for folder in (*self._private, self.supervisor_socket.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)

    def _create_root(self) -> None:
        # Started by root, PostgreSQL runs as another user and must come through. A folder that was
        # there before may hold files of others: who may read these is not ours to say.
        is_new = not self.root.exists()
        self.root.mkdir(parents=True, exist_ok=True)
        if is_new:
            # Whatever the umask: a database that nobody comes through to would be made elsewhere.
            self.root.chmod(0o711)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the stack for one command; raises StackError if another command holds it."""
        self._create_root()
        with (self.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(
                    f"Another command is changing the stack in {self.root}. "
                    "Wait until it has finished."
                ) from None
            yield
