"""The command line `twd-schema`: read a database's schema, compare two, write its DDL.

For people and CI. It reads with the rights of whoever types it: every dialect, host and file.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from twd_schema.drift.diff import diff_snapshots
from twd_schema.extraction.limits import ReadLimits
from twd_schema.extraction.reachability import reach_policy
from twd_schema.extraction.reading import READABLE_DIALECTS, SchemaReader
from twd_shared.clients.catalog import Connection, dialect_of
from twd_shared.clients.extraction_options import ExtractionOptions
from twd_shared.errors import ConfigurationError, TwdError
from twd_shared.schema_model.ddl import schema_script, table_statements
from twd_shared.schema_model.fingerprint import object_fingerprints, snapshot_fingerprint
from twd_shared.schema_model.models import Snapshot

SAME, DIFFERENT, FAILED, BREAKING = 0, 1, 2, 3

_EPILOG = """\
DSN is dialect://user:password@host:port/database, or env:NAME for the environment variable that
holds it, so that no password stands in a list of processes. A and B of diff may also be files that
`extract --format json` wrote.

exit status: 0 = done, or no difference; 1 = differences, none of them breaking; 3 = breaking ones;
2 = it failed, and the reason is on standard error.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except TwdError as error:
        print(f"twd-schema: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="twd-schema",
        description=(__doc__ or "").splitlines()[0],
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, purpose: str, *operands: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=purpose, description=purpose)
        for operand in operands:
            made.add_argument(operand.lower(), metavar=operand)
        made.add_argument("--format", choices=("text", "json"), default="text")
        made.add_argument("--include", action="append", default=[], metavar="PATTERN")
        made.add_argument("--exclude", action="append", default=[], metavar="PATTERN")
        made.set_defaults(run=run)
        return made

    command("extract", _extract, "Show the tables of a database, or its whole snapshot.", "DSN")
    command("diff", _diff, "Show what changed from A to B.", "A", "B")
    ddl = command("ddl", _ddl, "Write statements that rebuild the schema.", "DSN")
    ddl.add_argument("--table", metavar="SCHEMA.TABLE", help="of this table alone")
    return parser


def _extract(options: argparse.Namespace) -> int:
    snapshot = _snapshot(options.dsn, options)
    if options.format == "json":
        print(msgspec.json.encode(snapshot, order="deterministic").decode())
        return SAME
    width = max(len(table.label) for table in snapshot.tables)
    for table in snapshot.tables:
        print(f"{_printable(table.label):{width}}  {table.kind:18}  {len(table.columns)} columns")
    fingerprint = snapshot_fingerprint(object_fingerprints(snapshot))
    print(
        f"{snapshot.database_name}: {snapshot.dialect} {snapshot.server_version}, "
        f"{len(snapshot.tables)} tables, {snapshot.column_count} columns, "
        f"fingerprint {fingerprint}"
    )
    if snapshot.unknown:
        print(f"{snapshot.dialect} does not tell: {', '.join(snapshot.unknown)}")
    return SAME


def _diff(options: argparse.Namespace) -> int:
    before, after = _snapshot(options.a, options), _snapshot(options.b, options)
    diff = diff_snapshots(before, after, 1, 2)
    if options.format == "json":
        print(msgspec.json.encode(diff.changes).decode())
    else:
        for change in diff.changes:
            print(f"{change.severity:8}  {change.rule:28}  {_printable(change.sentence)}")
        print(f"{len(diff.changes)} differences, {len(diff.breaking)} of them breaking")
    if diff.breaking:
        return BREAKING
    return DIFFERENT if diff.has_changes else SAME


def _ddl(options: argparse.Namespace) -> int:
    snapshot = _snapshot(options.dsn, options)
    if options.table is None:
        statements = schema_script(snapshot)
    else:
        found = [table for table in snapshot.tables if table.label == options.table]
        if not found:
            raise ConfigurationError(
                f"There is no table {options.table} in {snapshot.database_name}. "
                "`twd-schema extract` lists them; write it as schema.table."
            )
        statements = table_statements(found[0], snapshot.dialect)
    if options.format == "json":
        print(msgspec.json.encode(statements).decode())
    else:
        print("\n\n".join(f"{statement};" for statement in statements))
    return SAME


def _snapshot(place: str, options: argparse.Namespace) -> Snapshot:
    dsn = place
    if place.startswith("env:"):
        dsn = os.environ.get(place.removeprefix("env:"), "")
        if not dsn:
            raise ConfigurationError(f"The environment variable of {place} is not set.")
    if "://" not in dsn:
        return _stored(dsn if place == dsn else place)
    try:
        wanted = ExtractionOptions(include=tuple(options.include), exclude=tuple(options.exclude))
    except ValueError as error:
        raise ConfigurationError(f"A pattern cannot be used: {error}.") from None
    policy = reach_policy("public,private,loopback", "/")
    reader = SchemaReader(READABLE_DIALECTS, ReadLimits(), policy)
    dialect = dialect_of(dsn.partition("://")[0])
    return reader.read(Connection("DSN", "given here", dialect, True, dsn, wanted))


def _stored(name: str) -> Snapshot:
    try:
        return msgspec.json.decode(Path(name).read_bytes(), type=Snapshot)
    except OSError as error:
        raise ConfigurationError(
            f"{name} is neither a connection string nor a readable file ({error.strerror})."
        ) from None
    except msgspec.DecodeError:
        raise ConfigurationError(
            f"{name} holds no snapshot. `twd-schema extract DSN --format json` writes one."
        ) from None


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "�" for letter in text)


if __name__ == "__main__":
    sys.exit(main())
