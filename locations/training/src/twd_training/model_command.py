"""The commands by which a person decides which version of a knowledge base is served.

They override the gate, and never serve what the schema or users have made wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import partial

from twd_shared import settings
from twd_shared.clients.ollama import Ollama
from twd_shared.clients.qdrant import open_client
from twd_shared.errors import TwdError
from twd_shared.schema_model.wording import counted
from twd_shared.store.database import MetadataDatabase
from twd_training.knowledge_base.promotion import Decisions
from twd_training.knowledge_base.publishing import Published

DONE, FAILED = 0, 2
_TARGETS = {"promote": "promote", "rollback": "rollback-model"}

_EPILOG = """\
DATABASE is the partition key of the source, as make ask takes it. What is served changes for every
reader in one request. Doing it twice does it once.

exit status: 0 = done, or nothing to do; 2 = it failed, and the reason is on standard error

TWD_METADATA_DSN, QDRANT_URL, QDRANT_API_KEY, OLLAMA_BASE_URL and TWD_EMBED_MODEL say where all is.
Where DAGSTER_HOME is set, the UI shows the decision, and what is served now is evaluated.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    options = _parser().parse_args(arguments)
    try:
        print(_decide(options.command, options.database))
    except TwdError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return FAILED
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="twd_training.model_command",
        description="Serve another version of a knowledge base than the gate has chosen.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    for name, purpose in (
        ("promote", "Serve the version that is held back."),
        ("rollback", "Serve the version that was served before; the present one is held back."),
    ):
        made = commands.add_parser(name, help=purpose, description=purpose)
        made.add_argument("database", metavar="DATABASE")
    return parser


def _decide(command: str, partition_key: str) -> str:
    value = partial(settings.value_of, os.environ)
    with (
        closing(MetadataDatabase(value(settings.METADATA_DSN))) as database,
        closing(open_client(value(settings.QDRANT_URL), value(settings.QDRANT_API_KEY))) as client,
    ):
        ollama = Ollama(value(settings.OLLAMA_BASE_URL), value(settings.EMBED_MODEL))
        path = "assets/training/trained_model?view=partitions&partition="
        link = f"{value(settings.UI_URL).rstrip('/')}/{path}{partition_key}"
        decisions = Decisions(partition_key, database, client, ollama, link)
        is_promotion = command == "promote"
        done = decisions.promote() if is_promotion else decisions.go_back()
        published = decisions.published
        if done.is_done:
            _tell_dagster(partition_key, published, f"make {_TARGETS[command]}")
    if not done.is_done:
        why = "no version is held back" if is_promotion else "it was gone back to before"
        return f"{partition_key}: version {done.version} is served, and {why}; nothing to do."
    before = f"version {done.before}" if done.before is not None else "nothing"
    wrong = counted(done.withdrawn, "document")
    without = f", without {wrong} wrong by now" if done.withdrawn else ""
    said = f"{partition_key}: version {done.version} is served instead of {before}{without}."
    return f"{said}{_other_model(published, ollama.embed_model)}"


def _other_model(published: Published, configured: str) -> str:
    """What readers must know when they ask with the configured model: it finds nothing there."""
    served = published.version
    if served is None or served.model == configured:
        return ""
    return (
        f"\nIts vectors are of model {served.model}, and {settings.EMBED_MODEL.name} is "
        f"{configured}: readers must ask with {served.model} as long as it is served."
    )


def _tell_dagster(partition_key: str, published: Published, decision: str) -> None:
    if not os.environ.get("DAGSTER_HOME"):
        return
    # Importing Dagster takes seconds, which neither --help nor a refusal should.
    import dagster as dg

    from twd_training.defs.decided import report_decided

    with dg.DagsterInstance.get() as instance:
        report_decided(instance, partition_key, published, decision)


if __name__ == "__main__":
    sys.exit(main())
