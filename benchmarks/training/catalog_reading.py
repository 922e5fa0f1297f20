"""What pairs are made of: a database's relations as PostgreSQL's catalogs tell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2.extensions

Database = psycopg2.extensions.connection
"""A connection to a database that a benchmark reads or changes."""

_COLUMNS = """
select c.relname, c.relkind in ('v', 'm') as is_view, a.attname,
       format_type(a.atttypid, a.atttypmod), t.typcategory
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type t on t.oid = a.atttypid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
  and not c.relispartition
order by c.relname, a.attnum
"""
_REFERENCES = """
select f.relname, a.attname, p.relname, b.attname
from pg_constraint k
join pg_class f on f.oid = k.conrelid and not f.relispartition
join pg_class p on p.oid = k.confrelid
join pg_attribute a on a.attrelid = f.oid and a.attnum = k.conkey[1]
join pg_attribute b on b.attrelid = p.oid and b.attnum = k.confkey[1]
where k.contype = 'f' and cardinality(k.conkey) = 1 and k.connamespace = 'public'::regnamespace
order by f.relname, a.attname, p.relname
"""


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """A column; `category` is PostgreSQL's own: N number, S string, D date and time, E enum."""

    name: str
    type: str
    category: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A table that is no partition, or a view."""

    name: str
    is_view: bool
    columns: tuple[ReadColumn, ...]

    def first(self, category: str, otherwise: int = 0) -> ReadColumn:
        """The first column of the category that is no key, else the one at a place."""
        fitting = (
            one
            for one in self.columns
            if one.category == category and not one.name.endswith("_id") and one.name != "id"
        )
        return next(fitting, self.columns[otherwise])


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of one column."""

    table: str
    column: str
    parent: str
    parent_column: str


def relations(database: Database) -> list[Relation]:
    """The relations of schema public, by name."""
    columns: dict[tuple[str, bool], list[ReadColumn]] = {}
    for name, is_view, *column in _rows(database, _COLUMNS):
        columns.setdefault((name, is_view), []).append(ReadColumn(*column))
    return [Relation(name, is_view, tuple(found)) for (name, is_view), found in columns.items()]


def references(database: Database) -> list[Reference]:
    """The foreign keys of schema public, by table and column."""
    return [Reference(*row) for row in _rows(database, _REFERENCES)]


def _rows(database: Database, query: str) -> Sequence[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()
