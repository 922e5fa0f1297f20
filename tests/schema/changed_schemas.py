"""Small schemas and single changes, as tests of alerts write them."""

from __future__ import annotations

from typing import Any

from twd_schema.drift.changes import Change
from twd_shared.schema_model.models import Column, SchemaObject, Snapshot, Table, snapshot_of


def table(name: str, **columns: str) -> Table:
    made = tuple(Column(name=key, type=value) for key, value in columns.items())
    return Table(schema="public", name=name, kind="table", columns=made)


def schema(*objects: SchemaObject) -> Snapshot:
    return snapshot_of(objects, dialect="postgresql", database_name="shop", server_version="16")


def removed(schema_name: str, name: str, column: str) -> Change:
    return change("column_removed", "table", schema_name, name, column, before="numeric")


def change(
    rule: str, kind: Any, schema_name: str, name: str, member: str = "", **values: Any
) -> Change:
    return Change(
        rule=rule,
        severity="breaking",
        object_kind=kind,
        schema=schema_name,
        name=name,
        member=member,
        subject=f"{schema_name}.{name}",
        sentence="It changed.",
        **values,
    )


FULL = table("orders", id="integer", total="numeric", note="text")
LESS = table("orders", id="integer", note="text")
