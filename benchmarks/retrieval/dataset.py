"""Labelled question sets and their schemas, read from a folder into the snapshot model.

A folder holds `schemas.json` (a list of databases: db_id, tables with name, natural_name and
columns, foreign_keys) and `questions.jsonl` (question, question_synonyms, db_id, gold_tables), as
the development fixture made of Spider does. A natural name that says more than the identifier's
own words becomes a comment, as a person would have written it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twd_shared.schema_model.keys import TableName
from twd_shared.schema_model.models import Column, ForeignKey, Key, Snapshot, Table
from twd_shared.schema_model.wording import words


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the same in other words where the set has it, and the tables it needs."""

    text: str
    synonyms: str | None
    database: str
    tables: frozenset[str]
    """Names in lower case: question sets do not spell them as their schemas do."""
    language: str = "en"

    def needs(self, names: Iterable[TableName]) -> frozenset[TableName]:
        """Those of the names that the question needs, in the schema of its database."""
        return frozenset(
            name for name in names if name[0] == self.database and name[1].lower() in self.tables
        )


def read_questions(folder: Path) -> list[Question]:
    """The questions of a folder, in its order."""
    lines = (folder / "questions.jsonl").read_text().splitlines()
    return [
        Question(
            text=item["question"],
            synonyms=item.get("question_synonyms"),
            database=item["db_id"],
            tables=frozenset(name.lower() for name in item["gold_tables"]),
        )
        for item in map(json.loads, filter(None, lines))
    ]


def read_databases(folder: Path) -> dict[str, tuple[Table, ...]]:
    """The tables of each database of a folder; each stands in a schema named after it."""
    databases = json.loads((folder / "schemas.json").read_text())
    return {item["db_id"]: tuple(_tables(item)) for item in databases}


def snapshot_of_tables(tables: Iterable[Table], name: str) -> Snapshot:
    """A snapshot of these tables alone."""
    return Snapshot(
        dialect="postgresql",
        database_name=name,
        server_version="17",
        tables=tuple(sorted(tables, key=lambda table: (table.schema, table.name))),
    )


def _tables(database: dict[str, Any]) -> Iterable[Table]:
    schema = database["db_id"]
    keys: defaultdict[str, list[ForeignKey]] = defaultdict(list)
    for number, key in enumerate(database["foreign_keys"]):
        keys[key["table"]].append(
            ForeignKey(
                name=f"fk_{number}",
                columns=(key["column"],),
                referenced_schema=schema,
                referenced_table=key["ref_table"],
                referenced_columns=(key["ref_column"],),
            )
        )
    for table in database["tables"]:
        primary = tuple(column["name"] for column in table["columns"] if column["pk"])
        yield Table(
            schema=schema,
            name=table["name"],
            kind="table",
            columns=tuple(_column(column) for column in table["columns"]),
            primary_key=Key(name=None, columns=primary) if primary else None,
            foreign_keys=tuple(keys[table["name"]]),
            comment=_comment(table),
        )


def _column(column: dict[str, Any]) -> Column:
    kind = {"number": "numeric", "time": "timestamp", "boolean": "boolean"}
    return Column(
        name=column["name"],
        type=kind.get(column["type"], "text"),
        nullable=not column["pk"],
        comment=_comment(column),
    )


def _comment(named: dict[str, Any]) -> str | None:
    natural = named["natural_name"]
    return None if natural == words(named["name"]) else natural
