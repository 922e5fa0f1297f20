"""`twd-schema rollback-index`: serve the collection of the schema index that was served before."""

from __future__ import annotations

import argparse
import os
from contextlib import closing
from functools import partial
from typing import Any

from twd_shared import settings
from twd_shared.store.database import MetadataDatabase

_PURPOSE = "Serve the collection of the schema index that was served before."
_EPILOG = """\
Readers are served the earlier collection by one request; then what has changed since is published
to it. A connection for which that fails is named, and is imported again by itself. Doing it twice
leads back.

exit status: 0 = done; 1 = done, but connections are behind; 2 = it failed, and standard error says
how far it came: where nothing is said of that, nothing was changed.

TWD_METADATA_DSN, QDRANT_URL, QDRANT_API_KEY, TWD_INDEX_ALIAS, OLLAMA_BASE_URL and TWD_EMBED_MODEL
say where all is.
"""


def add_rollback(commands: Any) -> None:
    """Add the subcommand to the `commands` of `twd-schema`."""
    made: argparse.ArgumentParser = commands.add_parser(
        "rollback-index",
        help=_PURPOSE,
        description=_PURPOSE,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(run=_roll_back)


def _roll_back(_options: argparse.Namespace) -> tuple[int, str]:
    # Qdrant's client takes a second to import, which no other command needs.
    from twd_schema.indexing.rollback import roll_back
    from twd_shared.clients.ollama import Ollama
    from twd_shared.clients.qdrant import open_client
    from twd_shared.clients.schema_index import SchemaIndex

    value = partial(settings.value_of, os.environ)
    ollama = Ollama(value(settings.OLLAMA_BASE_URL), value(settings.EMBED_MODEL))
    with (
        closing(MetadataDatabase(value(settings.METADATA_DSN))) as database,
        closing(open_client(value(settings.QDRANT_URL), value(settings.QDRANT_API_KEY))) as client,
    ):
        index = SchemaIndex(client, value(settings.INDEX_ALIAS))
        done = roll_back(index, ollama, database)
    lines = [
        f"{index.alias}: {done.before} ({done.before_model}) → "
        f"{done.served.name} ({done.served.model})",
        f"Connections up to date: {done.up_to_date}; caught up: {len(done.caught_up)}.",
        *(f"{key} is behind: {reason}" for key, reason in done.behind.items()),
    ]
    if done.served.model != ollama.embed_model:
        lines.append(
            f"TWD_EMBED_MODEL is {ollama.embed_model}: set it to {done.served.model}, or "
            "index_migration_job leads back to it."
        )
    return int(bool(done.behind)), "\n".join(lines)
