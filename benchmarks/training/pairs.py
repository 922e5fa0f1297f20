"""Questions with their SQL over one database: some made from its catalogs, some written by hand.

What is made is the same in each run. The written ones hold what a generator of plain statements
has not: natural joins, names that reach out of a subquery, literals of enums, functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.training.catalog_reading import Database, Reference, Relation, references, relations
from benchmarks.training.written_pairs import NORTHWIND, PAGILA

# The stars of the corpus: first in a SELECT list, alone or behind a table's name.
_STAR = re.compile(r"(\bselect\s+(?:distinct\s+)?)(?:\w+\.|\"[^\"]+\"\.)?\*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its SQL."""

    question: str
    sql: str


def without_stars(sql: str) -> str:
    """The statement without what its stars give: a star means whatever the table has."""
    return _STAR.sub(r"\g<1>1", sql)


def pairs(name: str, database: Database) -> list[Pair]:
    """The pairs over the sample database of that name, pagila or northwind."""
    found = relations(database)
    by_name = {one.name: one for one in found}
    written = {"pagila": PAGILA, "northwind": NORTHWIND}[name]
    statements = [
        *(sql for one in found for sql in _of_one(one)),
        *(
            sql
            for place, one in enumerate(references(database))
            for sql in _of_two(place, one, by_name)
        ),
        *written,
    ]
    return [
        Pair(f"{name}, question {place}: what are the answers to number {place}?", sql)
        for place, sql in enumerate(statements, start=1)
    ]


def _of_one(relation: Relation) -> Iterator[str]:
    table = relation.name
    text, number = relation.first("S").name, relation.first("N", -1).name
    when = relation.first("D", -1).name
    text, number, when = _quoted(text), _quoted(number), _quoted(when)
    yield f"select {text}, {number} from {table} order by {text} limit 10"
    if relation.is_view:
        yield f"select * from public.{table} where {text} is not null"
        return
    yield f"select count(*) from public.{table} as t where t.{when} is not null"
    yield (
        f"select {text}, count(*) as how_many from {table} "
        f"group by {text} having count(*) > 1 order by how_many desc"
    )


def _of_two(place: int, key: Reference, relations: dict[str, Relation]) -> Iterator[str]:
    """Three statements for each foreign key, of six forms in turn."""
    table, parent = key.table, key.parent
    mine = _quoted(relations[table].first("S", -1).name)
    theirs = _quoted(relations[parent].first("S", -1).name)
    on = f"a.{key.column} = b.{key.parent_column}"
    can_use = key.column == key.parent_column
    joined = f"using ({key.column})" if can_use else f"on {on}"
    forms: Sequence[str] = (
        f"select b.{theirs}, count(*) from {table} a join {parent} b on {on} "
        f"group by b.{theirs} order by 2 desc",
        f"select a.{mine}, b.{theirs} from {table} a left join {parent} b {joined}",
        f"select {theirs} from {parent} where {key.parent_column} in "
        f"(select {table}.{key.column} from {table} where {table}.{mine} is not null)",
        f"with used as (select {key.column} as used_key, count(*) as uses from {table} "
        f"group by {key.column}) select b.{theirs}, used.uses from used "
        f"join {parent} b on b.{key.parent_column} = used.used_key where used.uses > 2",
        f"select b.{theirs} from public.{parent} b where not exists "
        f"(select 1 from public.{table} a where {on})",
        f"select b.{theirs}, row_number() over (partition by a.{key.column} order by a.{mine}) "
        f"from {table} a, {parent} b where {on}",
    )
    for step in range(3):
        yield forms[(place + 2 * step + step // 2) % len(forms)]


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else f'"{name}"'
