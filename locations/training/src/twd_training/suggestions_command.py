"""The command that lists what users asked in vain: questions to teach next."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import closing

from twd_shared import settings
from twd_shared.command_output import write_output
from twd_shared.errors import TwdError
from twd_shared.schema_model.wording import printable
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.open_questions import SUGGESTED_DAYS, Suggestion, is_measured, suggestions

DONE, FAILED = 0, 2

_MOST_TOLD = 50
_EPILOG = f"""\
DATABASE is the partition key of the source, as make ask takes it. A question is on the list until
it is taught (a question/SQL pair in the application's training_data that is accepted), or was not
asked in vain for {SUGGESTED_DAYS} days. TWD_METADATA_DSN says where the list is.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="twd_training.suggestions_command",
        description="List the questions about a source that got no right answer, most asked first.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("database", metavar="DATABASE")
    parser.add_argument("--json", action="store_true", help="for programs: all of them, as JSON")
    options = parser.parse_args(arguments)
    try:
        dsn = settings.value_of(os.environ, settings.METADATA_DSN)
        with closing(MetadataDatabase(dsn)) as database:
            connection = ConnectionRegistry(database).by_partition(options.database)
            found = suggestions(database, connection.connection_id)
            is_known = bool(found) or is_measured(database)
        if options.json:
            told = json.dumps([one._asdict() for one in found], default=str, ensure_ascii=False)
        else:
            told = "\n".join(_told(options.database, found, is_known=is_known))
        write_output(told)
    except TwdError as error:
        print(f"suggestions: {error}", file=sys.stderr)
        return FAILED
    return DONE


def _told(database: str, found: Sequence[Suggestion], *, is_known: bool) -> list[str]:
    if not is_known:
        return [
            f"{database}: none of the last {SUGGESTED_DAYS} days was measured yet, so what was "
            "asked in vain is not known. analytics_job measures the day before each night."
        ]
    if not found:
        return [f"{database}: no question was asked in vain in the last {SUGGESTED_DAYS} days."]
    lines = [f"{'asked':>5}  {'last':<10}  {'':<2}  question"]
    lines += [
        f"{one.asked:>5}  {one.last_day}  {one.language or '–':<2}  "
        f"{printable(one.question) or '(its text is not kept: TWD_QUESTION_CHARACTERS is 0)'}"
        for one in found[:_MOST_TOLD]
    ]
    if len(found) > _MOST_TOLD:
        lines.append(f"… and {len(found) - _MOST_TOLD} more: --json lists all.")
    return lines


if __name__ == "__main__":
    sys.exit(main())
