"""Restoring a backup: both servers are filled beside what they serve, then switched, then cleaned.

Whatever happens before the switch leaves both as they were. After it a second run does what is
left: every step asks first what is there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from twd_local.backup.index_names import OurCollections
from twd_local.backup.index_restore import IndexRestore
from twd_local.backup.manifest import DUMP, Manifest
from twd_local.backup.metadata_restore import MetadataRestore
from twd_local.backup.servers import Servers
from twd_local.stack.errors import FORESEEN, StackError, explained
from twd_local.stack.home import REPOSITORY
from twd_local.stack.interruptions import uninterrupted
from twd_shared import settings
from twd_shared.clients.dsn import place_of
from twd_shared.clients.qdrant import open_client
from twd_shared.errors import TwdError
from twd_shared.store.migrate import alembic_config

_LONGEST_QUOTE = 2000


def require_known_revision(manifest: Manifest) -> None:
    """Nothing if this release can read the backup; raises StackError if a newer one made it."""
    revision = manifest.metadata.alembic_revision
    scripts = ScriptDirectory.from_config(alembic_config(""))
    known = {script.revision for script in scripts.walk_revisions()}
    if revision is not None and revision not in known:
        raise StackError(
            f"The backup was made by a newer release: its schema twd has revision {revision}, and "
            f"this release knows them up to {scripts.get_current_head()}. Nothing was changed. "
            "Install that release, and restore with it."
        )


def restore(servers: Servers, folder: Path, manifest: Manifest, say: Callable[[str], None]) -> None:
    """Put a verified backup in the place of what is there; nobody may write to it meanwhile."""
    database = MetadataRestore(servers.metadata, servers.admin)
    with closing(open_client(servers.qdrant_url, servers.qdrant_key)) as client:
        ours = OurCollections(client, servers.index_alias)
        index = IndexRestore(client, ours, folder, manifest.index, say)
        database.require_alone()
        is_switched = False
        try:
            say(f"Metadata database: into {place_of(database.new)}")
            for role in database.fill(manifest.metadata, folder / DUMP):
                say(
                    f"  There is no role {role} on this server: no rights of any role were "
                    "restored. Create it and grant them again."
                )
            make_ready(database.new, manifest.dagster_version)
            say(f"Index {servers.qdrant_place}")
            index.fill()
            # Somebody may have come meanwhile.
            database.require_alone()
            say("Switching to what was restored.")
            with uninterrupted():
                database.serve()
                is_switched = True
                index.serve()
            say("Deleting what was there before.")
            index.settle()
            database.settle()
        except BaseException as error:
            if is_switched and (isinstance(error, FORESEEN) or not isinstance(error, Exception)):
                raise _half(error) from error
            if is_switched:
                raise
            # As far as the servers answer; what stays is deleted by the next restore.
            with uninterrupted():
                for abandon in (index.abandon, database.abandon):
                    with suppress(TwdError):
                        abandon()
            raise


def _half(error: BaseException) -> StackError:
    why = explained(error) if isinstance(error, FORESEEN) else "The restore was interrupted."
    return StackError(
        f"{why}\nThe database was replaced already, and the index perhaps not in all. When what is "
        "told above is put right, run make restore again with the same folder."
    )


def make_ready(url: sa.URL, made_with: str) -> None:
    """Migrate the restored database and end its runs, with a Dagster home of its own.

    `made_with` is the version of Dagster whose tables it holds.
    """
    with tempfile.TemporaryDirectory(prefix="twd-restore-") as home:
        Path(home, "dagster.yaml").symlink_to(REPOSITORY / "dagster.yaml")
        variables = {
            "DAGSTER_HOME": home,
            settings.METADATA_DSN.name: url.render_as_string(hide_password=False),
            settings.COMPUTE_LOG_DIR.name: home,
            settings.ARTIFACT_DIR.name: home,
            settings.MAX_CONCURRENT_RUNS.name: settings.MAX_CONCURRENT_RUNS.default or "",
        }
        done = subprocess.run(
            [sys.executable, "-m", "twd_local.backup.prepare"],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise StackError(
            f"The restored database {place_of(url)} could not be brought up to date; the one in "
            f"use was not changed. The backup was made with Dagster {made_with}, and this release "
            f"has {version('dagster')}: a backup of a newer Dagster needs that Dagster. The "
            f"reason:\n{done.stderr.strip()[-_LONGEST_QUOTE:]}"
        )
