"""The command line: `python -m twd_local.backup save [FOLDER]`, `… restore FOLDER [--yes]`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from twd_local.backup.manifest import Manifest, read_manifest
from twd_local.backup.restoring import require_known_revision, restore
from twd_local.backup.saving import save
from twd_local.backup.servers import Servers, servers_of
from twd_local.backup.writers import writers_stopped
from twd_local.stack.entry import run_command
from twd_local.stack.errors import FORESEEN, StackError, explained
from twd_local.stack.home import Home
from twd_local.stack.plan import chosen_home

_UNTOUCHED = {
    "save": "There is no backup of it.",
    "restore": "Nothing was replaced. If the stack is not running now: make up",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 = done, 1 = it could not be done and stderr says why and what to do."""
    parser = argparse.ArgumentParser(
        prog="twd_local.backup", description="Backup of the metadata database and the vector index"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    saving = commands.add_parser("save", help="write a backup; the stack goes on")
    saving.add_argument("folder", nargs="?", type=Path, help="new folder (.twd/backups/… if none)")
    restoring = commands.add_parser("restore", help="put a backup in the place of what is there")
    restoring.add_argument("folder", type=Path)
    restoring.add_argument("--yes", action="store_true", help="do not ask")
    chosen = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        home = chosen_home(os.environ)
        if chosen.command == "save":
            folder = chosen.folder or home.root / "backups" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
            with home.locked():
                manifest = save(servers_of(home, os.environ), folder.absolute(), _say)
            _say(f"Backup {folder}: {_megabytes(manifest)}, {time.monotonic() - started:.1f} s.")
        else:
            _restore(home, chosen.folder.absolute(), is_confirmed=chosen.yes)
            _say(f"Restored {chosen.folder} in {time.monotonic() - started:.1f} s.")
    except FORESEEN as error:
        print(f"error: {explained(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted. {_UNTOUCHED[chosen.command]}", file=sys.stderr)
        return 130
    return 0


def _restore(home: Home, folder: Path, *, is_confirmed: bool) -> None:
    manifest = read_manifest(folder)
    require_known_revision(manifest)
    servers = servers_of(home, os.environ)
    if not is_confirmed:
        _ask(servers, manifest)
    is_restored, failed = False, ""
    try:
        with home.locked(), writers_stopped(home, servers, _say):
            try:
                restore(servers, folder, manifest, _say)
            except FORESEEN as error:
                failed = explained(error)
                raise
            is_restored = True
    except KeyboardInterrupt:
        if failed:
            raise StackError(
                f"{failed}\nInterrupted while the stack was started again: make up"
            ) from None
        if not is_restored:
            raise
        raise StackError(
            "Interrupted while the stack was started again. All of the backup is restored; start "
            "the rest: make up"
        ) from None


def _ask(servers: Servers, manifest: Manifest) -> None:
    """Nothing if the user says yes; raises StackError otherwise."""
    _say(
        f"This replaces the database {servers.metadata_place} and the collections of this software "
        f"at {servers.qdrant_place} by the backup of {manifest.made_at} "
        f"({sum(manifest.metadata.rows.values())} rows, "
        f"{sum(one.points for one in manifest.index.collections)} points). "
        "What was written since is lost."
    )
    if not sys.stdin.isatty():
        raise StackError("Nobody can be asked here. If it is what you want: make restore … YES=1")
    try:
        said = input("Type yes to go on: ")
    except EOFError:
        said = ""
    if said.strip() != "yes":
        raise StackError("Nothing was changed.")


def _megabytes(manifest: Manifest) -> str:
    return f"{sum(file.size for file in manifest.files) / 1e6:.1f} MB"


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    run_command(main)
