"""What is asked of tables: relations, columns, constraints, indexes; the order is not promised.

Descriptions are joined and names of key columns looked up afterwards, as a function call for each
row costs the most. Numbers come as text, as the driver would ask what an array of them is.
"""

from __future__ import annotations

from collections.abc import Mapping

from twd_schema.extraction.postgresql.scope_statements import RELATIONS, TABLE_KINDS, USERS_RELATION

# The release from which a sequence may be unlogged, and an identity's is made like its table.
_UNLOGGED_SEQUENCES = 15


# Tables and sequences are both relations; what only sequences have is null for the others. A parent
# may be an extension's, which has no row of its own: so it comes with its name.
def tables(major: int) -> str:
    """What is asked of relations and sequences, of a server of that release."""
    persistence = "c.relpersistence"
    if major < _UNLOGGED_SEQUENCES:
        # It cannot be told, nor set, otherwise than by the table.
        persistence = """case own.deptype when 'i' then (
           select o.relpersistence from pg_catalog.pg_class o where o.oid = own.refobjid)
           else c.relpersistence end"""
    return f"""
select c.oid, n.nspname, c.relname, c.relkind::text as kind, c.relispartition,
       d.description as comment,
       {persistence} = 'u' as unlogged,
       case when t.reloptions is null then c.reloptions
            else c.reloptions || array(
                select 'toast.' || o.text from pg_catalog.unnest(t.reloptions) o(text))
       end as storage,
       c.reltuples::float8 as row_estimate,
       (c.relpages::bigint + coalesce(t.relpages, 0))
           * pg_catalog.current_setting('block_size')::bigint as size_bytes,
       case when c.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(c.oid) end as definition,
       case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) end as partition_key,
       case when c.relispartition then pg_catalog.pg_get_expr(c.relpartbound, c.oid) end as bound,
       p.parents, p.parent_names, fs.srvname as server, fw.fdwname as wrapper,
       case when ft.ftrelid is not null then array(
           select pg_catalog.quote_ident(o.option_name) || ' '
                  || pg_catalog.quote_literal(o.option_value)
           from pg_catalog.pg_options_to_table(ft.ftoptions) o) end as options,
       pg_catalog.format_type(s.seqtypid, null) as type, s.seqstart, s.seqincrement, s.seqmin,
       s.seqmax, s.seqcache, s.seqcycle,
       own.deptype = 'i' as is_identity, own.refobjid as owner, own.refobjsubid as owner_column
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_description d
  on d.objoid = c.oid and d.classoid = 'pg_catalog.pg_class'::regclass and d.objsubid = 0
left join (
    select i.inhrelid, pg_catalog.array_agg(i.inhparent order by i.inhseqno) as parents,
           pg_catalog.array_agg(array[n.nspname::text, c.relname::text] order by i.inhseqno)
               as parent_names
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c on c.oid = i.inhparent
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    group by i.inhrelid) p on p.inhrelid = c.oid
left join pg_catalog.pg_class t on t.oid = c.reltoastrelid
left join pg_catalog.pg_foreign_table ft on ft.ftrelid = c.oid
left join pg_catalog.pg_foreign_server fs on fs.oid = ft.ftserver
left join pg_catalog.pg_foreign_data_wrapper fw on fw.oid = fs.srvfdw
left join pg_catalog.pg_sequence s on s.seqrelid = c.oid
left join lateral (
    select o.deptype, o.refobjid, o.refobjsubid
    from pg_catalog.pg_depend o
    where o.objid = s.seqrelid and o.objsubid = 0 and o.refobjsubid > 0
      and o.classid = 'pg_catalog.pg_class'::regclass
      and o.refclassid = 'pg_catalog.pg_class'::regclass and o.deptype in ('a', 'i')
    limit 1) own on true
where c.relkind in ({TABLE_KINDS}, 'S') and {USERS_RELATION}
"""


# Since PostgreSQL 18 a NOT NULL is a constraint with a name; before, the join finds none. One that
# is not plain comes with its name. To deparse an expression of columns, the server opens the whole
# relation; a default has none.
COLUMNS = f"""
with relations as ({RELATIONS})
select a.attrelid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
       a.attnotnull and coalesce(nn.convalidated, true) as not_null,
       a.attislocal and not (nn.conislocal or r.relispartition) as not_null_inherited,
       case when (nn.conislocal or r.relispartition)
             and (nn.conname <> r.relname || '_' || a.attname || '_not_null'
               or not nn.convalidated or nn.connoinherit or nd.description is not null
               or not r.relispartition and (nn.coninhcount > 0 or not a.attislocal))
            then nn.conname end as not_null_name,
       nn.connoinherit as not_null_no_inherit, nn.convalidated as not_null_validated,
       nd.description as not_null_comment,
       a.attidentity::text as identity, a.attgenerated::text as generated,
       a.atthasdef as has_default,
       pg_catalog.pg_get_expr(
           ad.adbin, case when a.attgenerated = '' then 0 else ad.adrelid end) as expression,
       case when a.attcollation <> t.typcollation then (
           select pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname)
           from pg_catalog.pg_collation co
           join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace
           where co.oid = a.attcollation) end as collation,
       d.description as comment,
       not a.attislocal and not r.relispartition as inherited,
       not a.atthasdef and a.attidentity = '' and d.description is null and a.attislocal
           and a.attcollation = t.typcollation and a.attfdwoptions is null
           and coalesce(nn.conislocal, true) as is_bare,
       case when a.attfdwoptions is not null then array(
           select pg_catalog.quote_ident(o.option_name) || ' '
                  || pg_catalog.quote_literal(o.option_value)
           from pg_catalog.pg_options_to_table(a.attfdwoptions) o) end as options
from relations r
join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_attrdef ad on ad.adrelid = a.attrelid and ad.adnum = a.attnum
left join pg_catalog.pg_constraint nn
  on nn.conrelid = a.attrelid and nn.contype = 'n' and nn.conkey[1] = a.attnum
left join pg_catalog.pg_description nd
  on nd.objoid = nn.oid and nd.classoid = 'pg_catalog.pg_constraint'::regclass
left join pg_catalog.pg_description d
  on d.objoid = a.attrelid and d.classoid = 'pg_catalog.pg_class'::regclass
  and d.objsubid = a.attnum
"""

# What says more of a constraint than its columns, by the major release that brought it.
_KEY_EXTRAS = {
    0: "k.condeferrable or x.indnatts <> x.indnkeyatts",
    15: "x.indnullsnotdistinct",
    18: "k.conperiod",
}
_FOREIGN_KEY_EXTRAS = {
    0: "k.confmatchtype <> 's' or not k.convalidated",
    15: "k.confdelsetcols is not null",
    18: "k.conperiod or not k.conenforced",
}


def _extras(conditions: Mapping[int, str], major: int) -> str:
    return " or ".join(text for release, text in conditions.items() if release <= major)


def constraints(major: int) -> str:
    """Constraints but NOT NULL, deparsed only where their columns do not say it all.

    A key to a partitioned table has a copy for each of its partitions, and a partition has a copy
    of each key of its parent: those belong to the parent. So does an inherited check.
    """
    return f"""
with relations as ({RELATIONS})
select k.conrelid, k.conname, k.contype::text as kind,
       k.contype in ('c', 'x') or coalesce(case k.contype
           when 'f' then {_extras(_FOREIGN_KEY_EXTRAS, major)}
           else {_extras(_KEY_EXTRAS, major)} end, false) as is_deparsed,
       case when k.contype in ('c', 'x') or case k.contype
           when 'f' then {_extras(_FOREIGN_KEY_EXTRAS, major)}
           else {_extras(_KEY_EXTRAS, major)} end
       then pg_catalog.pg_get_constraintdef(k.oid) end as definition,
       pg_catalog.array_to_string(k.conkey, ',') as columns,
       k.confrelid, pg_catalog.array_to_string(k.confkey, ',') as foreign_columns,
       case when k.contype = 'f' and fr.oid is null then array(
           select pg_catalog.unnest(array[fn.nspname::text, fc.relname::text])
           from pg_catalog.pg_class fc
           join pg_catalog.pg_namespace fn on fn.oid = fc.relnamespace
           where fc.oid = k.confrelid) end as foreign_names,
       case when k.contype = 'f' and fr.oid is null then array(
           select a.attname::text
           from pg_catalog.unnest(k.confkey) with ordinality as p(attnum, place)
           join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = p.attnum
           order by p.place) end as foreign_column_names,
       k.confupdtype::text as on_update, k.confdeltype::text as on_delete,
       k.condeferrable, k.condeferred, d.description as comment
from relations r
join pg_catalog.pg_constraint k on k.conrelid = r.oid
left join relations fr on fr.oid = k.confrelid
left join pg_catalog.pg_index x on x.indexrelid = k.conindid and k.contype in ('p', 'u')
left join pg_catalog.pg_description d
  on d.objoid = k.oid and d.classoid = 'pg_catalog.pg_constraint'::regclass
where k.contype in ('p', 'u', 'x')
   or k.contype = 'f' and k.conparentid = 0
   or k.contype = 'c' and (k.conislocal or r.relispartition)
"""


# Not those that a column of another type with a default of its own can have, as int4 can oid's.
_PLAIN_OPERATOR_CLASSES = """array(
    select o.oid from pg_catalog.pg_opclass o
    join pg_catalog.pg_am m on m.oid = o.opcmethod
    where m.amname = 'btree' and o.opcdefault and o.opcintype <> 'pg_catalog.bpchar'::regtype
      and not exists (
          select from pg_catalog.pg_cast c
          join pg_catalog.pg_opclass own on own.opcintype = c.castsource
            and own.opcmethod = o.opcmethod and own.opcdefault
          where c.casttarget = o.opcintype and c.castmethod = 'b' and c.castcontext = 'i'))
"""
_ODD_COLUMNS = """
    select a.attrelid, pg_catalog.array_agg(a.attnum) as numbers
    from pg_catalog.pg_attribute a
    where a.attnum > 0 and a.attrelid >= 16384
      and (a.atttypid = 'pg_catalog.bpchar'::regtype
        or a.attcollation not in (0, 'pg_catalog."default"'::regcollation))
    group by a.attrelid
"""
_INDEX_EXTRAS = {
    0: f"""i.indexprs is not null or i.indnatts <> i.indnkeyatts
        or ic.reloptions is not null or ic.reltablespace <> 0
        or not i.indclass::oid[] <@ {_PLAIN_OPERATOR_CLASSES}
        or not i.indcollation::oid[] <@ array[0, 'pg_catalog."default"'::regcollation]::oid[]
        or coalesce(i.indkey::int2[] && odd.numbers, false)""",
    15: "i.indnullsnotdistinct",
}


def indexes(major: int) -> str:
    """Indexes that no constraint owns, deparsed only where they are more than plain B-trees.

    Deparsing an index costs more than all else that is asked of it. Plain is one whose columns'
    types and collations leave the server nothing to write but their names and order, and whose
    condition, if it has one, is what comes along as its predicate. One that is not valid was given
    up half-way; only a partitioned one may wait for its parts.
    """
    return f"""
with relations as ({RELATIONS}), found as materialized (
    select i.*, ic.relname, ic.reloptions, {_extras(_INDEX_EXTRAS, major)} as is_deparsed
    from relations r
    join pg_catalog.pg_index i on i.indrelid = r.oid and i.indislive
      and (i.indisvalid or r.relkind = 'p')
    join pg_catalog.pg_class ic on ic.oid = i.indexrelid
    left join ({_ODD_COLUMNS}) odd on odd.attrelid = i.indrelid
    where not exists (
        select from pg_catalog.pg_constraint k
        where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
)
select i.indrelid, i.indexrelid, i.relname, i.indisunique, i.is_deparsed,
       pg_catalog.array_to_string(i.reloptions, ',') as options,
       case when i.is_deparsed then pg_catalog.pg_get_indexdef(i.indexrelid) end as definition,
       pg_catalog.array_to_string((i.indkey::int2[])[0:i.indnkeyatts - 1], ',') as columns,
       pg_catalog.array_to_string(i.indoption::int2[], ',') as orders,
       case when i.indexprs is not null then array(
           select case when p.attnum = 0
                       then pg_catalog.pg_get_indexdef(i.indexrelid, p.place::int, true) end
           from pg_catalog.unnest(i.indkey::int2[]) with ordinality as p(attnum, place)
           where p.place <= i.indnkeyatts order by p.place) end as expressions,
       i.indpred is not null as is_partial,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid) as predicate, d.description as comment
from found i
left join pg_catalog.pg_description d
  on d.objoid = i.indexrelid and d.classoid = 'pg_catalog.pg_class'::regclass and d.objsubid = 0
"""
