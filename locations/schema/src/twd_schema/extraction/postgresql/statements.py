"""What is asked of PostgreSQL's catalogs: a fixed number of statements, whatever the size.

The server itself deparses types, defaults, constraints and definitions, with an empty search_path,
so that every name from outside pg_catalog comes qualified.
Catalogs: https://www.postgresql.org/docs/current/catalogs.html
"""

from __future__ import annotations

from collections.abc import Mapping

from twd_schema.extraction.postgresql.object_statements import (
    COLLATIONS,
    DEPENDENCIES,
    PLACES,
    ROUTINES,
    TYPES,
)
from twd_schema.extraction.postgresql.samples import LARGEST_CATEGORY
from twd_schema.extraction.postgresql.scope_statements import RELATIONS
from twd_schema.extraction.postgresql.table_statements import (
    COLUMNS,
    constraints,
    indexes,
    tables,
)
from twd_schema.extraction.postgresql.written_statements import SEEN, written_from

# From so many relations on, indexes and all, a second session is worth its connection.
_LARGE_CATALOG = 3000

SNAPSHOT = f"""
select pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text as oldest,
       case when c.reltuples > {_LARGE_CATALOG} then pg_catalog.pg_export_snapshot() end as exported
from pg_catalog.pg_class c
where c.oid = 'pg_catalog.pg_class'::regclass
"""
"""The oldest transaction that this one may not see, and where the catalogs are large the name by
which a second session can see the same; asked first."""

# The values of columns with few of them, from the planner's statistics: no row is read, and
# PostgreSQL shows those of a column only to a role that may read the column.
_SAMPLES = f"""
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
where t.typcategory = 'S' and s.n_distinct between 1 and {LARGEST_CATEGORY}
  and s.most_common_vals is not null
order by r.oid, a.attnum
"""


def statements(major: int, *, shared: bool = False, samples: bool = False) -> dict[str, str]:
    """What is sent to a server of that major release, by what it asks for.

    In this order: first what others must wait for, then what takes least. Samples come last and by
    themselves: they are values of rows, which may be no text. If statements are `shared` by two
    sessions, dependencies come apart, so that both have work until the end. The order of rows is
    not promised.
    """
    # What there is little of comes together, each answer as JSON, for the sake of the round trips.
    objects = {
        "places": PLACES,
        "collations": COLLATIONS,
        "types": TYPES,
        "routines": ROUTINES,
        "seen": SEEN,
    }
    dependencies = {"dependencies": DEPENDENCIES}
    return {
        "columns": COLUMNS,
        "tables": tables(major),
        "indexes": indexes(major),
        "constraints": constraints(major),
        **({"dependencies": _as_json(dependencies)} if shared else {}),
        "objects": _as_json(objects if shared else objects | dependencies),
        **({"samples": _as_json({"samples": _SAMPLES})} if samples else {}),
    }


def _as_json(queries: Mapping[str, str]) -> str:
    answers = (
        f"(select pg_catalog.json_agg(r)::text from ({query}) r) as {name}"
        for name, query in queries.items()
    )
    return f"select {', '.join(answers)}"


CHANGED_SINCE = f"""
{written_from("$1::text::pg_catalog.xid8")}
select distinct w.kind, w.oid, w.name, n.nspname as schema, w.options, w.xid::text as xid
from written w left join pg_catalog.pg_namespace n on n.oid = w.place
"""
"""What transactions from id $1 on, the oldest that the snapshot may lack, have written until now: a
deparsed text may have seen it already, as the server deparses from the newest catalogs."""
