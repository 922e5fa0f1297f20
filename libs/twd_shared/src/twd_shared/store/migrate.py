"""Migrations of schema `twd`: `python -m twd_shared.store.migrate [upgrade|downgrade] [REV]`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

from twd_shared import settings
from twd_shared.errors import TwdError


def alembic_config(dsn: str) -> Config:
    """Alembic's configuration for the metadata database at `dsn`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["dsn"] = dsn
    return config


def upgrade(dsn: str, revision: str = "head") -> None:
    """Bring schema `twd` of the metadata database up to `revision`."""
    command.upgrade(alembic_config(dsn), revision)


def downgrade(dsn: str, revision: str = "base") -> None:
    """Take schema `twd` of the metadata database back to `revision`."""
    command.downgrade(alembic_config(dsn), revision)


def main(arguments: list[str]) -> int:
    """Run the command line; 0 = done, 2 = it could not be understood or configured."""
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
