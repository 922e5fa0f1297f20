"""Migrations of schema `twd`: `python -m twd_shared.store.migrate [upgrade|downgrade] [REV]`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from twd_shared import settings
from twd_shared.clients.dsn import place_of, postgresql_url
from twd_shared.errors import MetadataRefused, TwdError


def alembic_config(dsn: str) -> Config:
    """Alembic's configuration for the metadata database at `dsn`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["dsn"] = dsn
    return config


def upgrade(dsn: str, revision: str = "head") -> None:
    """Bring schema `twd` of the metadata database up to `revision`.

    Raises as `MetadataDatabase` and its transactions, and MetadataRefused for revisions that are
    not known.
    """
    with _known_revisions(dsn):
        command.upgrade(alembic_config(dsn), revision)


def downgrade(dsn: str, revision: str = "base") -> None:
    """Take schema `twd` of the metadata database back to `revision`; raises as `upgrade`."""
    with _known_revisions(dsn):
        command.downgrade(alembic_config(dsn), revision)


@contextmanager
def _known_revisions(dsn: str) -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        place = place_of(postgresql_url(dsn, settings.METADATA_DSN.name))
        raise MetadataRefused(
            f"Schema twd of the metadata database at {place} cannot be migrated: {error}. If a "
            "newer release made it, install that one; the way back to this one is told in "
            "docs/operations.md."
        ) from None


def main(arguments: list[str]) -> int:
    """Run the command line; 0 = done, 2 = it failed, and stderr says why."""
    actions = {"upgrade": upgrade, "downgrade": downgrade}
    action = arguments[0] if arguments else "upgrade"
    if action not in actions:
        print(f"{action!r} is not one of: upgrade, downgrade", file=sys.stderr)
        return 2
    try:
        dsn = settings.value_of(os.environ, settings.METADATA_DSN)
        actions[action](dsn, *arguments[1:2])
    except TwdError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
