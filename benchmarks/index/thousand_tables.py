"""A snapshot of a thousand tables made of usual words, and the same with some tables changed."""

from __future__ import annotations

import random

import msgspec

from benchmarks.vocabulary import (
    ASPECTS,
    ATTRIBUTES,
    REMARKS,
    SCHEMAS,
    SUBJECTS,
    VIETNAMESE_ASPECTS,
    VIETNAMESE_SUBJECTS,
    Attribute,
)
from twd_shared.schema_model.models import Column, ForeignKey, Key, Snapshot, Table

TABLES = 1000
DATABASE = "business"

_VIETNAMESE = 0.05
_TOLD_TABLES = 0.5
_TOLD_COLUMNS = 0.25


def thousand_tables() -> Snapshot:
    """About ten columns a table, of them up to three foreign keys; the same in each run."""
    chance = random.Random(1000)
    names = sorted(_names(chance))
    chance.shuffle(names)
    tables: list[Table] = []
    for schema, name in names:
        tables.append(_table(schema, name, tables, chance))
    return _snapshot(tables)


def with_changes(snapshot: Snapshot, count: int, remark: str) -> Snapshot:
    """The snapshot with another comment on so many tables, spread over all of them.

    Only a table's own text tells its comment: no other document changes with it.
    """
    step = len(snapshot.tables) // count
    tables = list(snapshot.tables)
    for place in range(0, count * step, step):
        tables[place] = msgspec.structs.replace(tables[place], comment=remark)
    return _snapshot(tables)


def _snapshot(tables: list[Table]) -> Snapshot:
    return Snapshot(
        dialect="postgresql",
        database_name=DATABASE,
        server_version="17",
        tables=tuple(sorted(tables, key=lambda table: (table.schema, table.name))),
    )


def _names(chance: random.Random) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    while len(found) < TABLES:
        subjects, aspects = (
            (VIETNAMESE_SUBJECTS, VIETNAMESE_ASPECTS)
            if chance.random() < _VIETNAMESE
            else (SUBJECTS, ASPECTS)
        )
        found.add((chance.choice(SCHEMAS), f"{chance.choice(subjects)}_{chance.choice(aspects)}"))
    return found


def _table(schema: str, name: str, others: list[Table], chance: random.Random) -> Table:
    parents = chance.sample(others, min(len(others), chance.choice((0, 1, 1, 2, 2, 3))))
    keys = {f"{parent.name}_id": parent for parent in parents}
    attributes = chance.sample(ATTRIBUTES, chance.randint(6, 9))
    return Table(
        schema=schema,
        name=name,
        kind="table",
        columns=(
            Column(name="id", type="bigint", nullable=False, identity="always"),
            *(Column(name=column, type="bigint") for column in keys),
            *(_column(attribute, chance) for attribute in attributes),
        ),
        primary_key=Key(name=f"{name}_pkey", columns=("id",)),
        foreign_keys=tuple(_reference(name, column, parent) for column, parent in keys.items()),
        comment=chance.choice(REMARKS) if chance.random() < _TOLD_TABLES else None,
    )


def _column(attribute: Attribute, chance: random.Random) -> Column:
    return Column(
        name=attribute.name,
        type=attribute.type,
        nullable=chance.random() < 0.6,
        default=attribute.default,
        comment=chance.choice(REMARKS) if chance.random() < _TOLD_COLUMNS else None,
    )


def _reference(table: str, column: str, parent: Table) -> ForeignKey:
    return ForeignKey(
        name=f"{table}_{column}_fkey",
        columns=(column,),
        referenced_schema=parent.schema,
        referenced_table=parent.name,
        referenced_columns=("id",),
    )
