"""`twd-schema plan`: what a sync of a connected database would do now, and whom it would hit."""

from __future__ import annotations

import argparse
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec

from twd_schema.drift.affected import STATEMENT_SECONDS, SurroundingsReader
from twd_schema.drift.impact import Impact, impact_columns, told
from twd_schema.drift.report import worst_first
from twd_schema.extraction.reading import SchemaReader
from twd_shared import settings
from twd_shared.clients.application import ApplicationDatabase
from twd_shared.clients.catalog import Catalog, catalog_of, connection_of
from twd_shared.clients.connection_secrets import ConnectionSecrets
from twd_shared.schema_model.wording import counted, printable
from twd_shared.sources.access import SourceAccess
from twd_shared.store.connections import ConnectionRegistry
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.descriptions import DescriptionStore
from twd_shared.store.host_readings import HostReadings
from twd_shared.store.index_states import IndexStateStore

if TYPE_CHECKING:
    from twd_schema.drift.changes import SchemaDiff
    from twd_schema.drift.forecast import Forecast
    from twd_schema.indexing.planning import IndexPlan

# Somebody sits and waits.
_PATIENCE_SECONDS = 20.0

_SAME, _DIFFERENT, _BREAKING = 0, 1, 3

_PURPOSE = "Say what a sync of a connected database would do now, and do nothing of it."
_EPILOG = """\
The database is read as a sync reads it, and compared with what the index holds. Nothing is written
anywhere; a few texts are embedded to tell how long the rest will take.

exit status: 0 = a sync would change nothing; 1 = it would, and breaks nothing; 3 = it would tell
breaking changes; 2 = it failed, and the reason is on standard error.

The environment says where all is, as for the code location: see the table in README.md.

example:
  twd-schema plan shop
"""


def add_plan(commands: Any) -> None:
    """Add the subcommand to the `commands` of `twd-schema`."""
    made: argparse.ArgumentParser = commands.add_parser(
        "plan",
        help=_PURPOSE,
        description=_PURPOSE,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("database", metavar="DATABASE", help="its partition key, as `shop`")
    made.add_argument("--json", action="store_true", help="write one JSON object, for programs")
    made.set_defaults(run=_plan)


def _plan(options: argparse.Namespace) -> tuple[int, str]:
    # Qdrant's client takes a second to import, which no other command needs.
    from twd_schema.drift.forecast import forecast
    from twd_schema.indexing.planning import IndexPlanner
    from twd_shared.clients.ollama import Ollama
    from twd_shared.clients.qdrant import open_client
    from twd_shared.clients.schema_index import SchemaIndex

    with (
        closing(MetadataDatabase(_value(settings.METADATA_DSN))) as database,
        closing(
            open_client(_value(settings.QDRANT_URL), _value(settings.QDRANT_API_KEY))
        ) as client,
    ):
        registered = ConnectionRegistry(database).by_partition(options.database)
        with closing(_catalog()) as catalog:
            connection = connection_of(catalog, registered.connection_id)
        index = SchemaIndex(client, _value(settings.INDEX_ALIAS))
        reader = SurroundingsReader(
            database,
            lambda: ApplicationDatabase(_value(settings.APPLICATION_DSN), STATEMENT_SECONDS),
            lambda: index,
        )
        found = forecast(connection, _source_reader(database).read(connection), database, reader)
        planner = IndexPlanner(
            index,
            Ollama(_value(settings.OLLAMA_BASE_URL), _value(settings.EMBED_MODEL)),
            DescriptionStore(database),
            IndexStateStore(database),
            _value(settings.LLM_MODEL),
        )
        plan = planner.plan(connection, found.snapshot)
    write = _json if options.json else _text
    return _status(found, plan), write(options.database, found, plan)


def _catalog() -> Catalog:
    return catalog_of(
        _value(settings.CATALOG),
        _value(settings.API_URL),
        _value(settings.APPLICATION_DSN),
        ConnectionSecrets(_value(settings.CONNECTION_KEYS), _value(settings.SECRETS_FOLDER)),
    )


def _status(found: Forecast, plan: IndexPlan) -> int:
    if found.told.broken:
        return _BREAKING
    return _DIFFERENT if found.diff.has_changes or plan.changes_anything else _SAME


def _json(database: str, found: Forecast, plan: IndexPlan) -> str:
    plain: dict[str, Any] = {
        "database": database,
        "from_version": found.diff.from_version,
        "documents": {
            "embedded": plan.embedded,
            "rewritten": plan.rewritten,
            "deleted": plan.deleted,
            "unchanged": plan.unchanged,
        },
        "seconds": plan.seconds,
        "breaks": found.impact.breaking,
        "affects": found.impact.total,
        "unknown": _unknown(found.impact, plan),
        "changes": [
            {**msgspec.to_builtins(change), "affects": found.impact.of(change)}
            for change in worst_first(found.diff)
        ],
    }
    return msgspec.json.encode(plain).decode()


def _text(database: str, found: Forecast, plan: IndexPlan) -> str:
    parts = [_changes(found.diff), _documents(plan)]
    if hit := told(found.impact.breaking):
        parts.append(hit)
    lines = [f"{database}: {'; '.join(parts)}.", *_unknown(found.impact, plan)]
    rows = [
        (change.severity, change.rule, change.sentence, *impact_columns(change, found.impact))
        for change in worst_first(found.diff)
    ]
    if rows:
        rows = [
            ("severity", "rule", "what changed", "documents", "items", "queries (users)"),
            *rows,
        ]
        # The last column needs no padding, nor does one in which nothing stands.
        shown = [place for place in range(6) if any(row[place] for row in rows[1:])]
        widths = {place: max(len(printable(row[place])) for row in rows) for place in shown}
        lines.append("")
        lines += [
            "  ".join(printable(row[place]).ljust(widths[place]) for place in shown).rstrip()
            for row in rows
        ]
    return "\n".join(lines)


def _changes(diff: SchemaDiff) -> str:
    if not diff.has_changes:
        return "no change"
    added, dropped = len(diff.tables("table_added")), len(diff.tables("table_removed"))
    renamed = diff.tables("table_renamed")
    changed = len(set(diff.modified_tables) - set(renamed))
    others = sum(change.object_kind != "table" for change in diff.changes)
    parts = [f"adds {counted(added, 'table')}"] if added else []
    parts += [f"drops {counted(dropped, 'table')}"] if dropped else []
    parts += [f"renames {counted(len(renamed), 'table')}"] if renamed else []
    parts += [f"changes {counted(changed, 'table')}"] if changed else []
    parts += (
        [counted(others, "change of another object", "changes of other objects")] if others else []
    )
    return ", ".join(parts)


def _documents(plan: IndexPlan) -> str:
    if not plan.changes_anything:
        return "the only document stays" if plan.total == 1 else f"all {plan.total} documents stay"
    parts: list[str] = []
    if plan.embedded:
        took = "time not known" if plan.seconds is None else f"in about {_duration(plan.seconds)}"
        joined = ", " if plan.seconds is None else " "
        parts.append(
            f"re-embeds {plan.embedded} of {counted(plan.total, 'document')}{joined}{took}"
        )
    if plan.rewritten:
        parts.append(f"rewrites {plan.rewritten}")
    if plan.deleted:
        parts.append(f"deletes {plan.deleted}")
    return ", ".join(parts)


def _unknown(impact: Impact, plan: IndexPlan) -> list[str]:
    time_unknown = f"time: not known ({plan.time_unknown})" if plan.time_unknown else ""
    outdated = f"index: a sync would not write it. {plan.outdated}" if plan.outdated else ""
    return [text for text in (outdated, impact.unknown, time_unknown) if text]


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else "1 s"


def _source_reader(database: MetadataDatabase) -> SchemaReader:
    most = settings.whole_number(os.environ, settings.SOURCE_HOST_READINGS)
    access = SourceAccess.configured(
        _value(settings.SOURCE_DIALECTS),
        _value(settings.SOURCE_HOSTS),
        _value(settings.SOURCE_FILES),
        settings.whole_number(os.environ, settings.SOURCE_TIMEOUT_SECONDS),
        HostReadings(database, most, _PATIENCE_SECONDS),
    )
    return SchemaReader.within(access)


def _value(variable: settings.Variable) -> str:
    return settings.value_of(os.environ, variable)
