"""What the UI shows of a snapshot: metadata and asset checks of raw_schema_metadata."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from twd_schema.documentation.diagram import entity_relationship_svg
from twd_schema.drift.changes import SchemaDiff
from twd_schema.drift.report import markdown_report
from twd_schema.history.confirmation import unconfirmed_tables
from twd_schema.history.recording import Recording
from twd_schema.history.replay import CHECKED_DIALECTS
from twd_shared.asset_checks import check_of_sources
from twd_shared.contract import RAW_SCHEMA_METADATA
from twd_shared.markdown import picture
from twd_shared.schema_model.models import Column, Snapshot, Table, TableStatistics, kind_of
from twd_shared.schema_model.secret_comments import comment_without_secrets
from twd_shared.schema_model.wording import counted

# More than this is no longer read by people, and weighs on each page of the UI. It weighs on the
# run as well: Dagster reads the whole event again for each check, and for each asset downstream.
_MOST_COLUMNS = 500
_MOST_TABLES = 100

SNAPSHOT_CHECKS = [
    check_of_sources(
        "snapshot_not_empty",
        RAW_SCHEMA_METADATA.key,
        "The source shows at least one table.",
    ),
    check_of_sources(
        "snapshot_not_smaller",
        RAW_SCHEMA_METADATA.key,
        "No large share of the tables has gone at once, and none went out of sight.",
    ),
    check_of_sources(
        "ddl_replayable",
        RAW_SCHEMA_METADATA.key,
        "The DDL of what changed parses and, where TWD_SCRATCH_DSN names an empty "
        "database, that of the whole schema runs there.",
    ),
]


def snapshot_metadata(recording: Recording, changes: SchemaDiff | None) -> dict[str, Any]:
    """Metadata of one materialization; `changes` are those since the version before."""
    snapshot, saved = recording.snapshot, recording.saved
    metadata: dict[str, Any] = {
        "database_name": snapshot.database_name,
        "dialect": f"{snapshot.dialect} {snapshot.server_version}",
        "schema": ", ".join(sorted({table.schema for table in snapshot.tables})),
        "table_count": len(snapshot.tables),
        "column_count": snapshot.column_count,
        "tables": dg.MetadataValue.json(_columns_by_table(snapshot)),
        "objects": dg.MetadataValue.json(Counter(kind_of(item) for item in snapshot.objects)),
        "version": saved.version.version,
        "fingerprint": saved.version.fingerprint,
        "objects_added": len(saved.added),
        "objects_removed": len(saved.removed),
        "objects_modified": len(saved.modified),
        "changes": dg.MetadataValue.md(
            markdown_report(changes) if changes else "This is the first version."
        ),
        "read_seconds": round(recording.read_seconds, 3),
        "unknown": ", ".join(snapshot.unknown) or "nothing",
        "unconfirmed_tables": dg.MetadataValue.json(unconfirmed_tables(recording.unconfirmed)),
        "table_sizes": dg.MetadataValue.table(_size_records(snapshot)),
    }
    if recording.statements:
        # Not every driver lets its statements be counted.
        metadata["statements"] = recording.statements
    svg = entity_relationship_svg(snapshot)
    if svg:
        metadata["diagram"] = dg.MetadataValue.md(picture(svg, "Tables and their references"))
    if snapshot.column_count <= _MOST_COLUMNS:
        metadata["dagster/column_schema"] = dg.TableSchema(
            columns=[_column(table, item) for table in snapshot.tables for item in table.columns]
        )
    return metadata


def snapshot_checks(recording: Recording, ddl_problems: Sequence[str]) -> list[dg.AssetCheckResult]:
    """The results of SNAPSHOT_CHECKS for one reading; `ddl_problems` are sentences."""
    tables = len(recording.snapshot.tables)
    unconfirmed = unconfirmed_tables(recording.unconfirmed)
    return [
        _check("snapshot_not_empty", tables > 0, {"table_count": tables}),
        _check(
            "snapshot_not_smaller",
            not recording.dropped_tables and not unconfirmed,
            {
                "dropped_tables": dg.MetadataValue.json(list(recording.dropped_tables)),
                "unconfirmed_tables": dg.MetadataValue.json(unconfirmed),
            },
            _losses(recording, unconfirmed),
        ),
        _check(
            "ddl_replayable",
            not ddl_problems,
            {"problems": dg.MetadataValue.json(list(ddl_problems))},
            ddl_problems[0] if ddl_problems else _unchecked(recording.snapshot),
        ),
    ]


def _unchecked(snapshot: Snapshot) -> str:
    if snapshot.dialect in CHECKED_DIALECTS:
        return ""
    return f"The DDL of {snapshot.dialect} is not checked: no server here parses it."


def _losses(recording: Recording, unconfirmed: Sequence[str]) -> str:
    sentences: list[str] = []
    if recording.dropped_tables:
        gone = _tables_are(len(recording.dropped_tables))
        sentences.append(f"{gone} gone; a second reading confirmed it.")
    if unconfirmed:
        sentences.append(
            f"{_tables_are(len(unconfirmed))} not shown to the role that reads, or only in part: "
            "dropped, no longer granted, or broken. What was known is kept. Grant SELECT on the "
            "whole database to be sure."
        )
    return " ".join(sentences)


def _tables_are(number: int) -> str:
    return f"{counted(number, 'table')} {'is' if number == 1 else 'are'}"


def _check(
    name: str, passed: bool, metadata: Mapping[str, Any], description: str = ""
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
        description=description or None,
    )


def _columns_by_table(snapshot: Snapshot) -> dict[str, int]:
    listed = {table.label: len(table.columns) for table in snapshot.tables[:_MOST_TABLES]}
    more = len(snapshot.tables) - len(listed)
    return {**listed, "… more tables": more} if more else listed


def _size_records(snapshot: Snapshot) -> list[dg.TableRecord]:
    """The largest tables first, as only so many are shown."""
    sizes = {(item.schema, item.table): item for item in snapshot.statistics}

    def estimates(table: Table) -> tuple[int, int]:
        size = sizes.get((table.schema, table.name)) or TableStatistics(schema="", table="")
        # -1: the server has no estimate. A cell of this table cannot be empty.
        return _or_unknown(size.size_bytes), _or_unknown(size.row_estimate)

    largest = sorted(snapshot.tables, key=estimates, reverse=True)[:_MOST_TABLES]
    return [
        dg.TableRecord(
            {
                "table": table.label,
                "kind": table.kind,
                "columns": len(table.columns),
                "rows (estimate)": rows,
                "bytes (estimate)": size,
            }
        )
        for table in largest
        for size, rows in [estimates(table)]
    ]


def _or_unknown(estimate: int | None) -> int:
    return -1 if estimate is None else estimate


def _column(table: Table, column: Column) -> dg.TableColumn:
    keys = [table.primary_key, *table.unique_constraints]
    return dg.TableColumn(
        name=f"{table.label}.{column.name}",
        type=column.type,
        description=column.comment and comment_without_secrets(column.comment),
        constraints=dg.TableColumnConstraints(
            nullable=column.nullable,
            unique=any(key is not None and key.columns == (column.name,) for key in keys),
        ),
    )
