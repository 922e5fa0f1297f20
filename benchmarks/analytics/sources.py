"""The schemas of the sample databases, as `message_data` numbers their connections; no server."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

from twd_shared.schema_model.models import Column, Snapshot, Table

_VARIABLE = "TWD_BENCH_SCHEMAS"


def keep(folder: Path, schemas: dict[str, list[Table]]) -> None:
    """Write the tables of each connection where `snapshot_of` finds them, also in a new process."""
    path = folder / "schemas.json"
    path.write_text(
        json.dumps(
            {
                connection: {
                    f"{one.schema}.{one.name}": [column.name for column in one.columns]
                    for one in tables
                }
                for connection, tables in schemas.items()
            }
        )
    )
    os.environ[_VARIABLE] = str(path)


@cache
def snapshot_of(connection_id: str, version: int) -> Snapshot:
    """The schema of a connection; it has one version."""
    known = json.loads(Path(os.environ[_VARIABLE]).read_text())[connection_id]
    return Snapshot(
        dialect="postgresql",
        database_name=connection_id,
        server_version="18",
        tables=tuple(
            Table(
                schema=schema,
                name=name,
                kind="table",
                columns=tuple(Column(name=column, type="text") for column in columns),
            )
            for (schema, name), columns in (
                (label.split(".", 1), columns) for label, columns in known.items()
            )
        ),
    )
