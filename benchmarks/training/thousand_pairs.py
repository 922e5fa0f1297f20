"""Pairs over the thousand tables, and the same with some changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.training.pairs import Pair
from twd_shared.schema_model.models import Snapshot, Table

PAIRS = 500


def five_hundred_pairs(snapshot: Snapshot) -> list[Pair]:
    """A pair on every second table: a list, or a join where it refers to another."""
    return [_pair(table) for table in snapshot.tables[: 2 * PAIRS : 2]]


def with_edits(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """The pairs with the SQL of so many corrected, and as many others taken back."""
    step = len(pairs) // (2 * count)
    edited = {2 * place * step for place in range(count)}
    removed = {(2 * place + 1) * step for place in range(count)}
    return [
        replace(pair, sql=f"{pair.sql} limit 100") if place in edited else pair
        for place, pair in enumerate(pairs)
        if place not in removed
    ]


def _pair(table: Table) -> Pair:
    column = table.columns[-1].name
    words = table.name.replace("_", " ")
    mine = f'"{table.schema}"."{table.name}"'
    if not table.foreign_keys:
        return Pair(
            f"Which {column.replace('_', ' ')} has each {words} of {table.schema}?",
            f'select t.id, t."{column}" from {mine} t order by t.id',
        )
    key = table.foreign_keys[0]
    other = f'"{key.referenced_schema}"."{key.referenced_table}"'
    return Pair(
        f"How many {words} of {table.schema} belong to each "
        f"{key.referenced_table.replace('_', ' ')}?",
        f'select o.id, count(t."{column}") from {mine} t '
        f'join {other} o on o.id = t."{key.columns[0]}" group by o.id',
    )
