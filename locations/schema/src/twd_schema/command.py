"""The command line `twd-schema`: read a database's schema, compare two, write its DDL.

For people and CI. It reads with the rights of whoever types it: every dialect, host and file. What
people say of a table is in `describe_command.py`, what a sync would do in `plan_command.py`.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from twd_schema.describe_command import add_describe
from twd_schema.drift.diff import diff_snapshots
from twd_schema.extraction.reading import READABLE_DIALECTS, SchemaReader
from twd_schema.extraction.scope import scoped
from twd_schema.history.confirmation import completed
from twd_schema.plan_command import add_plan
from twd_schema.rollback_command import add_rollback
from twd_shared.clients.catalog import Connection, dialect_of
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.command_output import write_output
from twd_shared.errors import ConfigurationError, TwdError
from twd_shared.schema_model.ddl import schema_script, table_statements
from twd_shared.schema_model.fingerprint import object_fingerprints, snapshot_fingerprint
from twd_shared.schema_model.models import Snapshot
from twd_shared.schema_model.wording import counted, printable
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.reachability import reach_policy

SAME, DIFFERENT, FAILED, BREAKING, INTERRUPTED = 0, 1, 2, 3, 130

_EPILOG = """\
DSN is dialect://user:password@host:port/database or sqlite:///file, or env:NAME for the environment
variable that holds it, so that no password stands in a list of processes. In its place, and for A
and B of diff, may stand a file that `extract --format json` wrote.

PATTERN is schema.table, or schema for all of a schema, with * and ?; a name that holds a dot, a
quote, * or ? stands between double quotes. --exclude wins over --include; both may be repeated.

exit status: 0 = done, or no difference; 1 = differences, none of them breaking; 3 = breaking ones;
2 = it failed, and the reason is on standard error.

examples:
  twd-schema extract env:SHOP_DSN --format json > shop.json
  twd-schema diff shop.json env:SHOP_DSN --exclude 'audit.*'
  twd-schema ddl env:SHOP_DSN | psql --single-transaction -v ON_ERROR_STOP=1 EMPTY_DATABASE
"""

_Result = tuple[int, str]
"""Exit status, and what is written to standard output."""

# To the end of the message: a password may hold spaces.
_CONNECTION_STRING = re.compile(r"\S*(?:://|@).*", re.DOTALL)


class _Parser(argparse.ArgumentParser):
    """Repeats no connection string where the command line is wrong; nor do its sub-parsers."""

    def error(self, message: str) -> NoReturn:
        """End with the usage, the message without connection strings, and status 2."""
        super().error(printable(_CONNECTION_STRING.sub("…", message)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status, text = options.run(options)
        write_output(text)
    except TwdError as error:
        print(f"twd-schema: {printable(str(error))}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        # Python's own status for it is 1, which here says that there are harmless differences.
        traceback.print_exc()
        return FAILED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="twd-schema",
        description="Read a database's schema, compare two, write its DDL; describe its tables.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], _Result], purpose: str, *operands: str
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=purpose,
            description=purpose,
            epilog=_EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for operand in operands:
            made.add_argument(operand.lower(), metavar=operand)
        made.add_argument("--format", choices=("text", "json"), default="text")
        sides = f" of {' and '.join(operands)}" if len(operands) > 1 else ""
        for option, which in (
            ("--include", "only these tables"),
            ("--exclude", "not these tables"),
        ):
            made.add_argument(
                option, action="append", default=[], metavar="PATTERN", help=which + sides
            )
        made.set_defaults(run=run)
        return made

    command("extract", _extract, "Show the tables of a database, or its whole snapshot.", "DSN")
    command("diff", _diff, "Show what changed from A to B.", "A", "B")
    ddl = command("ddl", _ddl, "Write statements that rebuild the schema.", "DSN")
    ddl.add_argument("--table", metavar="SCHEMA.TABLE", help="of this table or partition alone")
    add_describe(commands)
    add_plan(commands)
    add_rollback(commands)
    return parser


def _extract(options: argparse.Namespace) -> _Result:
    snapshot = _snapshot("DSN", options.dsn, options)
    if options.format == "json":
        return SAME, msgspec.json.encode(snapshot, order="deterministic").decode()
    width = max(len(table.label) for table in snapshot.tables)
    lines = [
        f"{printable(table.label):{width}}  {table.kind:18}  "
        f"{counted(len(table.columns), 'column')}"
        for table in snapshot.tables
    ]
    fingerprint = snapshot_fingerprint(object_fingerprints(snapshot))
    lines.append(
        f"{printable(snapshot.database_name)}: {snapshot.dialect} {snapshot.server_version}, "
        f"{counted(len(snapshot.tables), 'table')}, {counted(snapshot.column_count, 'column')}, "
        f"fingerprint {fingerprint}"
    )
    if snapshot.unknown:
        lines.append(f"{snapshot.dialect} does not tell: {', '.join(snapshot.unknown)}")
    return SAME, "\n".join(lines)


def _diff(options: argparse.Namespace) -> _Result:
    before, after = _snapshot("A", options.a, options), _snapshot("B", options.b, options)
    whole, kept = completed(after, before)
    diff = diff_snapshots(before, whole, 1, 2)
    status = BREAKING if diff.breaking else DIFFERENT if diff.has_changes else SAME
    if options.format == "json":
        return status, msgspec.json.encode(diff.changes).decode()
    lines = [
        f"{change.severity:8}  {change.rule:28}  {printable(change.sentence)}"
        for change in diff.changes
    ]
    differences = counted(len(diff.changes), "difference")
    lines.append(f"{differences}, {len(diff.breaking)} of them breaking")
    if kept:
        lines.append(
            f"not compared in full, as B does not show all: {counted(len(kept), 'object')} of A"
        )
    return status, "\n".join(lines)


def _ddl(options: argparse.Namespace) -> _Result:
    snapshot = _snapshot("DSN", options.dsn, options)
    if options.table is None:
        statements = schema_script(snapshot)
    else:
        found = [table for table in snapshot.relations if table.label == options.table]
        if not found:
            raise ConfigurationError(
                f"There is no table {options.table} in {snapshot.database_name}. "
                "`twd-schema extract` lists them; write it as schema.table."
            )
        statements = [
            text
            for table in found
            for text in table_statements(table, snapshot.dialect, snapshot.sequences)
        ]
    if options.format == "json":
        return SAME, msgspec.json.encode(statements).decode()
    return SAME, "\n\n".join(_ended(statement) for statement in statements)


def _ended(statement: str) -> str:
    # A view's text in SQLite may end in a comment, which would take the semicolon in.
    in_comment = "--" in statement.rpartition("\n")[2]
    return f"{statement}\n;" if in_comment else f"{statement};"


def _snapshot(operand: str, place: str, options: argparse.Namespace) -> Snapshot:
    try:
        wanted = ExtractionOptions(include=tuple(options.include), exclude=tuple(options.exclude))
    except ValueError as error:
        raise ConfigurationError(f"A pattern cannot be used: {error}.") from None
    if not place:
        raise ConfigurationError(f"{operand} is empty. Is the variable that should hold it set?")
    dsn = _from_environment(place) if place.startswith("env:") else place
    whole = _read(operand, dsn) if "://" in dsn else _stored(operand, dsn)
    snapshot = scoped(whole, wanted)
    if not snapshot.tables:
        raise ConfigurationError(
            f"{operand} holds {counted(len(whole.tables), 'table')}, and --include and --exclude "
            "leave none."
        )
    return snapshot


def _from_environment(place: str) -> str:
    name = place.removeprefix("env:")
    if not name.isidentifier():
        # It may be the connection string itself, so it is not repeated.
        raise ConfigurationError("After env: stands the name of an environment variable.")
    dsn = os.environ.get(name, "")
    if "://" not in dsn:
        raise ConfigurationError(f"The environment variable {name} holds no connection string.")
    return dsn


def _read(operand: str, dsn: str) -> Snapshot:
    scheme, _, rest = dsn.partition("://")
    dialect = dialect_of(scheme)
    if dialect not in READABLE_DIALECTS:
        raise ConfigurationError(
            f"{operand} is of type {dialect!r}, which is not read. "
            f"Write one before :// that is: {', '.join(sorted(READABLE_DIALECTS))}."
        )
    if dialect == "sqlite":
        dsn = f"{scheme}:///{_sqlite_file(operand, rest.removeprefix('/'))}"
    reader = SchemaReader(READABLE_DIALECTS, ReadLimits(), reach_policy("0.0.0.0/0,::/0", "/"))
    try:
        return reader.read(Connection(operand, "given here", dialect, True, dsn))
    except TwdError as error:
        if not error.remedy:
            raise
        raise type(error)(error.fault, "Correct the connection string.") from None


def _sqlite_file(operand: str, name: str) -> str:
    path = os.path.abspath(name)
    if not name or not os.path.isfile(path):
        what = "no file" if not name else f"{path}, which is no file"
        raise ConfigurationError(
            f"{operand} names {what}. Write sqlite:///PATH of a database file."
        )
    return path


def _stored(operand: str, name: str) -> Snapshot:
    # The name is not repeated: it may be a mistyped connection string.
    try:
        return msgspec.json.decode(Path(name).read_bytes(), type=Snapshot)
    except OSError as error:
        raise ConfigurationError(
            f"{operand} is neither a connection string nor a readable file ({error.strerror}). "
            "Write dialect://user:password@host/database, or the name of a snapshot's file."
        ) from None
    except msgspec.DecodeError:
        raise ConfigurationError(
            f"{operand} is a file that holds no snapshot. "
            "`twd-schema extract DSN --format json` writes one."
        ) from None


if __name__ == "__main__":
    sys.exit(main())
