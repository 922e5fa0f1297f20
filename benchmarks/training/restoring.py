"""What a change removed from a database, made again as another database still has it.

Tables come back empty and without constraints: what counts is what queries may name.
"""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import quote_ident

from benchmarks.training.catalog_reading import Database

# Names are written out in full: a search path may not see what was moved.
_FULL_NAMES = "set search_path = pg_catalog"
_ENUMS = """
select t.oid, n.nspname, t.typname, array_agg(e.enumlabel order by e.enumsortorder)
from pg_type t join pg_namespace n on n.oid = t.typnamespace join pg_enum e on e.enumtypid = t.oid
group by t.oid, n.nspname, t.typname
"""
_COLUMNS = """
select n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname = 'public' and c.relkind in ('r', 'p')
order by c.relispartition, c.oid, a.attnum
"""
_ROUTINES = """
select oid::regprocedure::text, pg_get_functiondef(oid) from pg_proc
where pronamespace = 'public'::regnamespace and prokind = 'f'
order by oid
"""
_VIEWS = """
select c.relname, c.relkind = 'm', pg_get_viewdef(c.oid) from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm')
order by c.oid
"""


def restore(database: Database, original: Database) -> None:
    """Make in `database` what only `original` has: enums, tables, columns, routines, views."""
    _rows(original, _FULL_NAMES)
    _rows(database, _FULL_NAMES)
    enums = {row[1:3] for row in _rows(database, _ENUMS)}
    for _, schema, name, labels in _rows(original, _ENUMS):
        if (schema, name) not in enums:
            _run(database, f"create type {_quoted(database, schema, name)} as enum %s", labels)
    _restore_columns(database, original)
    routines = {row[0] for row in _rows(database, _ROUTINES)}
    for name, definition in _rows(original, _ROUTINES):
        if name not in routines:
            _rows(database, definition)
    views = {row[0] for row in _rows(database, _VIEWS)}
    for name, is_materialized, definition in _rows(original, _VIEWS):
        if name not in views:
            kind = "materialized view" if is_materialized else "view"
            _rows(database, f"create {kind} {_quoted(database, 'public', name)} as {definition}")


def _restore_columns(database: Database, original: Database) -> None:
    present: dict[tuple[str, str], set[str]] = {}
    for schema, table, column, _ in _rows(database, _COLUMNS):
        present.setdefault((schema, table), set()).add(column)
    for schema, table, column, type_ in _rows(original, _COLUMNS):
        relation = _quoted(database, schema, table)
        if (schema, table) not in present:
            _rows(database, f"create table {relation} ()")
            present[schema, table] = set()
        if column not in present[schema, table]:
            name = quote_ident(column, database)
            _rows(database, f"alter table {relation} add {name} {type_}")


def _quoted(database: Database, schema: str, name: str) -> str:
    return f"{quote_ident(schema, database)}.{quote_ident(name, database)}"


def _run(database: Database, statement: str, labels: list[str]) -> None:
    with database.cursor() as cursor:
        cursor.execute(statement, (tuple(labels),))


def _rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []
