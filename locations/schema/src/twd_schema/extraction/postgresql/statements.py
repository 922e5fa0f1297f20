"""What is asked of PostgreSQL's catalogs: a fixed number of statements, whatever the size.

The server itself deparses types, defaults, constraints and definitions, with an empty search_path,
so that every name from outside pg_catalog comes qualified.
Catalogs: https://www.postgresql.org/docs/current/catalogs.html
"""

from __future__ import annotations

from twd_schema.extraction.postgresql.object_statements import (
    DEPENDENCIES,
    PLACES,
    ROUTINES,
    TYPES,
)
from twd_schema.extraction.postgresql.scope_statements import RELATIONS
from twd_schema.extraction.postgresql.table_statements import (
    COLUMNS,
    TABLES,
    constraints,
    indexes,
)

# From so many relations on, indexes and all, a second session is worth its connection.
_LARGE_CATALOG = 5000

SNAPSHOT = f"""
select pg_catalog.pg_current_snapshot()::text as taken,
       case when c.reltuples > {_LARGE_CATALOG} then pg_catalog.pg_export_snapshot() end as exported
from pg_catalog.pg_class c
where c.oid = 'pg_catalog.pg_class'::regclass
"""
"""What the transaction sees, and where the catalogs are large the name by which a second session
can see it too; asked first."""

# What there is little of comes together, each answer as JSON, for the sake of the round trips.
_OBJECTS = f"""
select (select pg_catalog.json_agg(r)::text from ({PLACES}) r) as places,
       (select pg_catalog.json_agg(r)::text from ({TYPES}) r) as types,
       (select pg_catalog.json_agg(r)::text from ({ROUTINES}) r) as routines,
       (select pg_catalog.json_agg(r)::text from ({DEPENDENCIES}) r) as dependencies
"""


def statements(major: int) -> dict[str, str]:
    """What is sent to a server of that major release, by what it asks for.

    Two sessions may share them, so those that take longest come first. The order of their rows is
    not promised.
    """
    return {
        "columns": COLUMNS,
        "tables": TABLES,
        "indexes": indexes(major),
        "constraints": constraints(major),
        "objects": _OBJECTS,
    }


SAMPLES = f"""
with relations as ({RELATIONS})
select r.nspname, r.relname, s.attname, s.n_distinct::float8 as n_distinct,
       s.most_common_vals::text::text[] as values,
       pg_catalog.array_to_string(s.most_common_freqs, ',') as frequencies
from relations r
join pg_catalog.pg_stats s
  on s.schemaname = r.nspname and s.tablename = r.relname
  and s.inherited = (r.relkind = 'p')
join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attname = s.attname
join pg_catalog.pg_type t on t.oid = a.atttypid
where t.typcategory = 'S' and s.n_distinct between 1 and $1 and s.most_common_vals is not null
order by r.oid, a.attnum
"""
"""The values of columns with at most $1 of them, from the planner's statistics: no row is read,
and PostgreSQL shows those of a column only to a role that may read the column."""

CHANGED_SINCE = """
with taken as materialized (
    select $1::text::pg_catalog.pg_snapshot as snapshot, x.oldest,
           pg_catalog.age(x.oldest::xid) as age
    from (select pg_catalog.pg_snapshot_xmin($1::text::pg_catalog.pg_snapshot) as oldest) x
), recent as (
    select 'r' as kind, c.oid, c.relname::text as name, c.relnamespace as place,
           pg_catalog.age(c.xmin) as age
    from pg_catalog.pg_class c
    where c.relpersistence <> 't' and pg_catalog.age(c.xmin) <= (select t.age from taken t)
    union all
    select 'a', a.attrelid, null, 0, pg_catalog.age(a.xmin)
    from pg_catalog.pg_attribute a
    where a.attnum > 0 and pg_catalog.age(a.xmin) <= (select t.age from taken t)
    union all
    select 't', t.oid, null, 0, pg_catalog.age(t.xmin)
    from pg_catalog.pg_type t
    where t.typtype <> 'b' and (t.typrelid = 0 or t.typtype <> 'c')
      and pg_catalog.age(t.xmin) <= (select t.age from taken t)
    union all
    select 'p', p.oid, null, 0, pg_catalog.age(p.xmin)
    from pg_catalog.pg_proc p where pg_catalog.age(p.xmin) <= (select t.age from taken t)
    union all
    select 'n', n.oid, n.nspname::text, 0, pg_catalog.age(n.xmin)
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_' and pg_catalog.age(n.xmin) <= (select t.age from taken t)
)
select distinct r.kind, r.oid, r.name, n.nspname as schema
from recent r
cross join taken t
left join pg_catalog.pg_namespace n on n.oid = r.place
where not pg_catalog.pg_visible_in_snapshot(
    (t.oldest::text::bigint + t.age - r.age)::text::xid8, t.snapshot)
"""
"""What a transaction outside snapshot $1 has written: a deparsed text may have seen it already, as
the server deparses from the newest catalogs. Kinds: r = relation, a = column of a relation, t =
type, p = routine, n = schema. A row has an id of 32 bits, which its age makes one of 64."""
