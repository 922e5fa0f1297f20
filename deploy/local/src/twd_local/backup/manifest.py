"""`manifest.json`: what a backup holds and what made it. A folder without one is no backup."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from twd_local.stack.errors import StackError
from twd_local.stack.private_files import write_private

NAME = "manifest.json"
DUMP = "metadata.dump"
_FORM = 1
_BLOCK = 1 << 20


class StoredFile(msgspec.Struct, frozen=True):
    """A file of the backup, as it must be found again."""

    name: str
    size: int
    sha256: str


class StoredMetadata(msgspec.Struct, frozen=True):
    """The dump; `rows` counts the rows of each table, `grantees` are roles that may read some."""

    file: StoredFile
    rows: dict[str, int]
    grantees: list[str]
    alembic_revision: str | None
    server_version: str
    pg_dump_version: int


class StoredCollection(msgspec.Struct, frozen=True):
    """A collection's file; `settings` create it, `content` is the digest of all its points."""

    name: str
    file: StoredFile
    points: int
    content: str
    settings: dict[str, Any]
    payload_indexes: dict[str, Any]


class StoredIndex(msgspec.Struct, frozen=True):
    """The collections, and which of them each alias names."""

    server_version: str
    collections: list[StoredCollection]
    aliases: dict[str, str]


class Manifest(msgspec.Struct, frozen=True):
    """Everything that a restore must know before it changes anything."""

    made_at: str
    dagster_version: str
    metadata: StoredMetadata
    index: StoredIndex
    form: int = _FORM

    @property
    def files(self) -> list[StoredFile]:
        """Every file of the backup but the manifest."""
        return [self.metadata.file, *(one.file for one in self.index.collections)]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Declare the backup complete, in one step, after everything else is on the disk."""
    _sync(folder)
    write_private(folder / NAME, msgspec.json.format(msgspec.json.encode(manifest)).decode())
    _sync(folder)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the backup in `folder`, all files of which are found unchanged.

    Raises: StackError naming the file that is missing or changed.
    """
    path = folder / NAME
    if not path.exists():
        raise StackError(
            f"{folder} is no backup, or one that was not finished: it has no {NAME}. "
            "Name the folder of another one: make restore FROM=…"
        )
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.DecodeError as error:
        raise StackError(f"{path} cannot be read ({error}). Use another backup.") from None
    if manifest.form != _FORM:
        raise StackError(
            f"{path} has form {manifest.form}, and this release reads {_FORM}. "
            "Restore it with the release that made it."
        )
    for file in manifest.files:
        _verify(folder, file)
    return manifest


def stored_file(path: Path) -> StoredFile:
    """What is to be remembered of a file that is complete; brings it to the disk."""
    _sync(path)
    return StoredFile(path.name, path.stat().st_size, _digest(path))


def _verify(folder: Path, file: StoredFile) -> None:
    path = folder / file.name
    if Path(file.name).name != file.name or not path.is_file():
        raise StackError(f"{path} is missing: the backup is not whole. Use another one.")
    if path.stat().st_size != file.size or _digest(path) != file.sha256:
        raise StackError(
            f"{path} is not what was written: the backup is damaged, and nothing was restored. "
            "Copy the folder again from where it was kept, or use another backup."
        )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
