"""`twd-schema describe`: a person says what a table or column of a connected database is."""

from __future__ import annotations

import argparse
import os
from contextlib import closing
from typing import Any

from twd_schema.documentation.editing import edit_description
from twd_shared import settings
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.descriptions import DescriptionStore
from twd_shared.store.snapshots import SnapshotStore

_PURPOSE = "Say what a table or column of a connected database is."
_EPILOG = """\
What you say is told in the table's documentation, and never what a language model says of it. It
stays through every import and sync. An empty TEXT takes it back.

TWD_METADATA_DSN names the metadata database.

example:
  twd-schema describe shop public.film --column rating --text 'Age rating of the film board'
"""


def add_describe(commands: Any) -> None:
    """Add the subcommand to the `commands` of `twd-schema`."""
    made: argparse.ArgumentParser = commands.add_parser(
        "describe",
        help=_PURPOSE,
        description=_PURPOSE,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("database", metavar="DATABASE", help="its partition key, as `shop`")
    made.add_argument("table", metavar="SCHEMA.TABLE")
    made.add_argument("--column", default="", help="of the table; without it, the table itself")
    made.add_argument("--text", required=True, help="what it is, in a sentence or two")
    made.set_defaults(run=_describe)


def _describe(options: argparse.Namespace) -> tuple[int, str]:
    dsn = settings.value_of(os.environ, settings.METADATA_DSN)
    with closing(MetadataDatabase(dsn)) as database:
        told = edit_description(
            ConnectionRegistry(database).by_partition(options.database),
            options.table,
            options.column,
            options.text,
            SnapshotStore(database),
            DescriptionStore(database),
        )
    return 0, told
