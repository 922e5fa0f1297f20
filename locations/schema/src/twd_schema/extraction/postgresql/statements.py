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

# What there is little of comes together, each answer as JSON, for the sake of the round trips.
_LITTLE = f"""
select (select pg_catalog.json_agg(r)::text from ({PLACES}) r) as places,
       (select pg_catalog.json_agg(r)::text from ({TYPES}) r) as types,
       (select pg_catalog.json_agg(r)::text from ({ROUTINES}) r) as routines
"""


def statements(major: int) -> dict[str, str]:
    """What is sent to a server of that major release, by what it asks for; `little` comes first.

    The order of their rows is not promised.
    """
    return {
        "little": _LITTLE,
        "tables": TABLES,
        "columns": COLUMNS,
        "constraints": constraints(major),
        "indexes": indexes(major),
        "dependencies": DEPENDENCIES,
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
with written as (
    select 'r' as kind, c.oid, c.relname::text as name, c.relnamespace as place,
           c.xmin::text::bigint as xid
    from pg_catalog.pg_class c where c.relpersistence <> 't'
    union all
    select 'a', a.attrelid, null, 0, a.xmin::text::bigint
    from pg_catalog.pg_attribute a where a.attnum > 0
    union all
    select 't', t.oid, null, 0, t.xmin::text::bigint
    from pg_catalog.pg_type t where t.typtype <> 'b' and (t.typrelid = 0 or t.typtype <> 'c')
    union all
    select 'p', p.oid, null, 0, p.xmin::text::bigint from pg_catalog.pg_proc p
    union all
    select 'n', n.oid, n.nspname::text, 0, n.xmin::text::bigint
    from pg_catalog.pg_namespace n where n.nspname !~ '^pg_'
), taken as (
    select $1::text::pg_catalog.pg_snapshot as snapshot,
           pg_catalog.pg_snapshot_xmin($1::text::pg_catalog.pg_snapshot)::text::bigint as oldest
), recent as (
    select w.kind, w.oid, w.name, w.place, t.snapshot,
           t.oldest + (w.xid - t.oldest & 4294967295) as xid
    from written w cross join taken t
    where (w.xid - t.oldest & 4294967295) < 1000000
)
select distinct r.kind, r.oid, r.name, n.nspname as schema
from recent r left join pg_catalog.pg_namespace n on n.oid = r.place
where not pg_catalog.pg_visible_in_snapshot(r.xid::text::pg_catalog.xid8, r.snapshot)
"""
"""What a transaction outside snapshot $1 has written: a deparsed text may have seen it already, as
the server deparses from the newest catalogs. Kinds: r = relation, a = column of a relation, t =
type, p = routine, n = schema. Ids of transactions are compared modulo 2^32 from the snapshot's
oldest on; more than a million of them do not fit into one reading."""
