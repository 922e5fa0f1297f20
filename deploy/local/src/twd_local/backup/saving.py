"""Making a backup: the database first, the index second, the manifest last."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from twd_local.backup.index_export import export_index
from twd_local.backup.index_names import OurCollections
from twd_local.backup.manifest import Manifest, write_manifest
from twd_local.backup.metadata_dump import dump_metadata
from twd_local.backup.servers import Servers
from twd_local.stack.errors import StackError
from twd_shared.clients.qdrant import open_client


def save(servers: Servers, folder: Path, say: Callable[[str], None]) -> Manifest:
    """Write a backup into `folder`, which must be new or empty; the servers go on working.

    The index is read after the database, so it is of the same moment or newer: what it has more
    belongs to changes of a source, which the next sync of the restored database finds again.
    """
    made_at = datetime.now(UTC)
    _make_private(folder)
    try:
        say(f"Metadata database {servers.metadata_place}")
        metadata = dump_metadata(servers.metadata, folder)
        say(
            f"  {len(metadata.rows)} tables, {sum(metadata.rows.values())} rows, "
            f"{metadata.file.size} bytes"
        )
        with closing(open_client(servers.qdrant_url, servers.qdrant_key)) as client:
            say(f"Index {servers.qdrant_place}")
            ours = OurCollections(client, servers.index_alias)
            index = export_index(client, ours, folder, say)
        manifest = Manifest(
            made_at.isoformat(timespec="seconds"), version("dagster"), metadata, index
        )
        write_manifest(folder, manifest)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return manifest


def _make_private(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if any(folder.iterdir()):
        raise StackError(f"{folder} is not empty. Name a new folder: make backup TO=…")
    folder.chmod(0o700)
