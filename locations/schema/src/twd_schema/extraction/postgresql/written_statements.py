"""What is asked of the transactions that wrote the rows of the catalogs."""

from __future__ import annotations

# Named by deparsed texts, and read by themselves nowhere.
_BESIDE = ("pg_opclass", "pg_operator", "pg_ts_config")


def written_from(oldest: str) -> str:
    """The rows that transactions from `oldest` on have written, as a CTE `written`.

    Kinds: r = relation, a = column of a relation, t = type or a label of one, p = routine,
    c = collation, n = schema, o = operator, class of operators or text search configuration; of an
    index its options come along. Rows tell 32 bits of the id only, also long after they were
    frozen: so ids end at those of the snapshot that sees the rows, as what seems to come later is
    from a round of 2^32 before.
    """
    return f"""
with ids as materialized (
    select pg_catalog.age(({oldest})::xid) as oldest,
           pg_catalog.age(pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::xid)
               as newest
), written as (
    select 'r' as kind, c.oid, c.relname::text as name, c.relnamespace as place,
           case when c.relkind in ('i', 'I')
                then pg_catalog.array_to_string(c.reloptions, ',') end as options,
           c.xmin as xid
    from pg_catalog.pg_class c
    where c.relpersistence <> 't' and {_is_between("c.xmin")}
    union all
    select 'a', a.attrelid, null, 0, null, a.xmin
    from pg_catalog.pg_attribute a
    where a.attnum > 0 and {_is_between("a.xmin")}
    union all
    select 't', t.oid, null, 0, null, t.xmin
    from pg_catalog.pg_type t
    where t.typtype <> 'b' and (t.typrelid = 0 or t.typtype <> 'c') and {_is_between("t.xmin")}
    union all
    select 't', e.enumtypid, null, 0, null, e.xmin
    from pg_catalog.pg_enum e where {_is_between("e.xmin")}
    union all
    select 'p', p.oid, null, 0, null, p.xmin
    from pg_catalog.pg_proc p where {_is_between("p.xmin")}
    union all
    select 'c', o.oid, null, 0, null, o.xmin
    from pg_catalog.pg_collation o where o.oid >= 16384 and {_is_between("o.xmin")}
    union all
    select 'n', n.oid, n.nspname::text, 0, null, n.xmin
    from pg_catalog.pg_namespace n where n.nspname !~ '^pg_' and {_is_between("n.xmin")}
    {"".join(_beside(catalog) for catalog in _BESIDE)}
)"""


def _beside(catalog: str) -> str:
    return f"""
    union all
    select 'o', b.oid, null, 0, null, b.xmin
    from pg_catalog.{catalog} b where b.oid >= 16384 and {_is_between("b.xmin")}"""


def _is_between(xmin: str) -> str:
    return f"""pg_catalog.age({xmin}) <= (select i.oldest from ids i)
        and pg_catalog.age({xmin}) > (select i.newest from ids i)
        and (select i.oldest > i.newest from ids i)"""


# Of the transactions that began before the snapshot ended, it alone tells which it sees: what it
# lists as running lacks subtransactions, and on a standby all.
SEEN = f"""
{written_from("pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())")}
select distinct w.xid::text as xid from written w
"""
