"""What is asked of PostgreSQL's catalogs: a fixed number of statements, whatever the size.

The server itself deparses types, defaults, constraints and definitions, with an empty search_path,
so that every name from outside pg_catalog comes qualified. Descriptions are joined and names of
key columns looked up afterwards, as a function call for each row costs the most.
Numbers come as text, as the driver would ask the catalogs what an array of them is.
Catalogs: https://www.postgresql.org/docs/current/catalogs.html
"""

from __future__ import annotations

from collections.abc import Mapping

# A schema that a user made. All names that begin with pg_ are the system's.
_USERS_SCHEMA = """
    n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
"""


def _no_member(catalog: str, oid: str) -> str:
    """The condition that an object came with no extension, which brings it by itself."""
    return f"""{oid} <> all (array(
          select e.objid from pg_catalog.pg_depend e
          where e.refclassid = 'pg_catalog.pg_extension'::regclass
            and e.classid = 'pg_catalog.{catalog}'::regclass and e.deptype = 'e'))"""


_RELATIONS = f"""
    select c.oid, n.nspname, c.relname, c.relkind, c.relispartition
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
      and c.relpersistence <> 't' and {_USERS_SCHEMA} and {_no_member("pg_class", "c.oid")}
"""

# From so many relations on, indexes and all, a second session is worth its connection.
_LARGE_CATALOG = 5000

# Extensions below oid 16384 came with the database itself, and are in every other one too.
_PLACES = f"""
select 'server' as kind, 0::bigint as oid, pg_catalog.current_database()::text as name,
       pg_catalog.current_setting('server_version') as version,
       (pg_catalog.pg_current_snapshot())::text as place,
       (select case when c.reltuples > {_LARGE_CATALOG} then pg_catalog.pg_export_snapshot() end
        from pg_catalog.pg_class c where c.oid = 'pg_catalog.pg_class'::regclass) as comment,
       null::text[] as needs
union all
select 'namespace', n.oid::bigint, n.nspname, null, null, d.description, null
from pg_catalog.pg_namespace n
left join pg_catalog.pg_description d
  on d.objoid = n.oid and d.classoid = 'pg_catalog.pg_namespace'::regclass
where {_USERS_SCHEMA} and {_no_member("pg_namespace", "n.oid")}
union all
select 'extension', x.oid::bigint, x.extname, x.extversion, n.nspname, d.description, array(
           select o.extname::text
           from pg_catalog.pg_depend p
           join pg_catalog.pg_extension o
             on o.oid = p.refobjid and p.refclassid = 'pg_catalog.pg_extension'::regclass
           where p.classid = 'pg_catalog.pg_extension'::regclass and p.objid = x.oid)
from pg_catalog.pg_extension x
join pg_catalog.pg_namespace n on n.oid = x.extnamespace
  and x.oid >= 16384
left join pg_catalog.pg_description d
  on d.objoid = x.oid and d.classoid = 'pg_catalog.pg_extension'::regclass
order by 1, 3
"""

# Tables and sequences are both relations; what only sequences have is null for the others.
_TABLES = f"""
with relations as (
    {_RELATIONS}
    union all
    select c.oid, n.nspname, c.relname, c.relkind, false
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'S' and c.relpersistence <> 't' and {_USERS_SCHEMA}
      and {_no_member("pg_class", "c.oid")}
)
select r.oid, r.nspname, r.relname, r.relkind::text as kind, r.relispartition,
       d.description as comment,
       c.relpersistence = 'u' as unlogged, c.reloptions as storage,
       c.reltuples::float8 as row_estimate,
       (c.relpages::bigint + coalesce(tc.relpages, 0))
           * pg_catalog.current_setting('block_size')::bigint as size_bytes,
       case when r.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(r.oid) end as definition,
       case when r.relkind = 'p' then pg_catalog.pg_get_partkeydef(r.oid) end as partition_key,
       case when r.relispartition then pg_catalog.pg_get_expr(c.relpartbound, r.oid) end as bound,
       p.parents, fs.srvname as server, fw.fdwname as wrapper,
       case when ft.ftrelid is not null then array(
           select pg_catalog.quote_ident(o.option_name) || ' '
                  || pg_catalog.quote_literal(o.option_value)
           from pg_catalog.pg_options_to_table(ft.ftoptions) o) end as options,
       pg_catalog.format_type(s.seqtypid, null) as type, s.seqstart, s.seqincrement, s.seqmin,
       s.seqmax, s.seqcache, s.seqcycle,
       own.deptype = 'i' as is_identity, own.refobjid as owner, own.refobjsubid as owner_column
from relations r
join pg_catalog.pg_class c on c.oid = r.oid
left join pg_catalog.pg_class tc on tc.oid = c.reltoastrelid
left join pg_catalog.pg_description d
  on d.objoid = r.oid and d.classoid = 'pg_catalog.pg_class'::regclass and d.objsubid = 0
left join (
    select i.inhrelid, pg_catalog.array_agg(i.inhparent order by i.inhseqno) as parents
    from pg_catalog.pg_inherits i group by i.inhrelid) p on p.inhrelid = r.oid
left join pg_catalog.pg_foreign_table ft on ft.ftrelid = r.oid
left join pg_catalog.pg_foreign_server fs on fs.oid = ft.ftserver
left join pg_catalog.pg_foreign_data_wrapper fw on fw.oid = fs.srvfdw
left join pg_catalog.pg_sequence s on s.seqrelid = r.oid
left join pg_catalog.pg_depend own
  on r.relkind = 'S' and own.objid = r.oid and own.objsubid = 0 and own.refobjsubid > 0
  and own.classid = 'pg_catalog.pg_class'::regclass
  and own.refclassid = 'pg_catalog.pg_class'::regclass and own.deptype in ('a', 'i')
"""

# Since PostgreSQL 18 a NOT NULL is a constraint with a name; before, the join finds none. One that
# is not plain comes with its name. To deparse an expression of columns, the server opens the whole
# relation; a default has none.
_COLUMNS = f"""
with relations as ({_RELATIONS})
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
       case when a.attcollation <> t.typcollation
            then pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname)
       end as collation,
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
left join pg_catalog.pg_collation co on co.oid = a.attcollation and a.attcollation <> t.typcollation
left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace
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


def _constraints(major: int) -> str:
    """Constraints but NOT NULL, deparsed only where their columns do not say it all.

    A key to a partitioned table has a copy for each of its partitions, and a partition has a copy
    of each key of its parent: those belong to the parent. So does an inherited check.
    """
    return f"""
with relations as ({_RELATIONS})
select k.conrelid, k.conname, k.contype::text as kind,
       k.contype in ('c', 'x') or coalesce(case k.contype
           when 'f' then {_extras(_FOREIGN_KEY_EXTRAS, major)}
           else {_extras(_KEY_EXTRAS, major)} end, false) as is_deparsed,
       case when k.contype in ('c', 'x') or case k.contype
           when 'f' then {_extras(_FOREIGN_KEY_EXTRAS, major)}
           else {_extras(_KEY_EXTRAS, major)} end
       then pg_catalog.pg_get_constraintdef(k.oid) end as definition,
       pg_catalog.array_to_string(k.conkey, ',') as columns,
       k.confrelid, fn.nspname as foreign_schema, fc.relname as foreign_table,
       pg_catalog.array_to_string(k.confkey, ',') as foreign_columns,
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
left join pg_catalog.pg_class fc on fc.oid = k.confrelid
left join pg_catalog.pg_namespace fn on fn.oid = fc.relnamespace
left join pg_catalog.pg_index x on x.indexrelid = k.conindid and k.contype in ('p', 'u')
left join pg_catalog.pg_description d
  on d.objoid = k.oid and d.classoid = 'pg_catalog.pg_constraint'::regclass
where k.contype in ('p', 'u', 'x')
   or k.contype = 'f' and k.conparentid = 0
   or k.contype = 'c' and (k.conislocal or r.relispartition)
"""


_PLAIN_OPERATOR_CLASSES = """array(
    select o.oid from pg_catalog.pg_opclass o
    join pg_catalog.pg_am m on m.oid = o.opcmethod
    where m.amname = 'btree' and o.opcdefault and o.opcintype <> 'pg_catalog.bpchar'::regtype)
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
    0: f"""i.indexprs is not null or i.indpred is not null or i.indnatts <> i.indnkeyatts
        or ic.reloptions is not null or ic.reltablespace <> 0
        or not i.indclass::oid[] <@ {_PLAIN_OPERATOR_CLASSES}
        or not i.indcollation::oid[] <@ array[0, 'pg_catalog."default"'::regcollation]::oid[]
        or coalesce(i.indkey::int2[] && odd.numbers, false)""",
    15: "i.indnullsnotdistinct",
}


def _indexes(major: int) -> str:
    """Indexes that no constraint owns, deparsed only where they are more than plain B-trees.

    Deparsing an index costs more than all else that is asked of it. Plain is one whose columns'
    types and collations leave the server nothing to write but their names and order.
    """
    return f"""
with relations as ({_RELATIONS}), found as materialized (
    select i.*, ic.relname, {_extras(_INDEX_EXTRAS, major)} as is_deparsed
    from relations r
    join pg_catalog.pg_index i on i.indrelid = r.oid and i.indislive
      -- One that is not valid was given up half-way; a partitioned one may wait for its parts.
      and (i.indisvalid or r.relkind = 'p')
    join pg_catalog.pg_class ic on ic.oid = i.indexrelid
    left join ({_ODD_COLUMNS}) odd on odd.attrelid = i.indrelid
    where not exists (
        select from pg_catalog.pg_constraint k
        where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
)
select i.indrelid, i.indexrelid, i.relname, i.indisunique, i.is_deparsed,
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


# What a server's release may not have yet is looked up in the row as JSON.
_TYPES = f"""
select t.oid::bigint as oid, n.nspname, t.typname, t.typtype::text as kind,
       t.typrelid::bigint as typrelid, d.description as comment,
       case when t.typtype = 'd'
            then pg_catalog.format_type(t.typbasetype, t.typtypmod) end as base,
       case when t.typcollation <> b.typcollation
            then pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname)
       end as collation,
       t.typnotnull,
       coalesce(pg_catalog.pg_get_expr(t.typdefaultbin, 0), t.typdefault) as typdefault,
       (select pg_catalog.array_agg(e.enumlabel::text order by e.enumsortorder)
        from pg_catalog.pg_enum e where e.enumtypid = t.oid) as labels,
       (select pg_catalog.json_agg(pg_catalog.json_build_object(
                   'name', k.conname, 'kind', k.contype,
                   'definition', pg_catalog.pg_get_constraintdef(k.oid), 'comment', kd.description)
               order by k.conname)::text
        from pg_catalog.pg_constraint k
        left join pg_catalog.pg_description kd
          on kd.objoid = k.oid and kd.classoid = 'pg_catalog.pg_constraint'::regclass
        where k.contypid = t.oid) as constraints,
       case when t.typtype = 'c' then (
           select pg_catalog.json_agg(pg_catalog.json_build_object(
                      'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
                      'collation', case when a.attcollation <> at.typcollation
                          then pg_catalog.quote_ident(an.nspname) || '.'
                               || pg_catalog.quote_ident(ac.collname) end,
                      'comment', ad.description)
                  order by a.attnum)::text
           from pg_catalog.pg_attribute a
           join pg_catalog.pg_type at on at.oid = a.atttypid
           left join pg_catalog.pg_collation ac on ac.oid = a.attcollation
           left join pg_catalog.pg_namespace an on an.oid = ac.collnamespace
           left join pg_catalog.pg_description ad
             on ad.objoid = a.attrelid and ad.classoid = 'pg_catalog.pg_class'::regclass
             and ad.objsubid = a.attnum
           where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) end as attributes,
       case when t.typtype = 'r' then (
           select pg_catalog.array_remove(array[
               'subtype = ' || pg_catalog.format_type(g.rngsubtype, null),
               'multirange_type_name = ' || pg_catalog.format_type(
                   (pg_catalog.to_jsonb(g) ->> 'rngmultitypid')::oid, null),
               case when not oc.opcdefault then 'subtype_opclass = '
                   || pg_catalog.quote_ident(ocn.nspname) || '.'
                   || pg_catalog.quote_ident(oc.opcname) end,
               case when g.rngcollation <> st.typcollation then 'collation = '
                   || pg_catalog.quote_ident(gn.nspname) || '.'
                   || pg_catalog.quote_ident(gc.collname) end,
               case when g.rngcanonical <> 0 then 'canonical = ' || g.rngcanonical::text end,
               case when g.rngsubdiff <> 0 then 'subtype_diff = ' || g.rngsubdiff::text end
           ], null)
           from pg_catalog.pg_range g
           join pg_catalog.pg_type st on st.oid = g.rngsubtype
           join pg_catalog.pg_opclass oc on oc.oid = g.rngsubopc
           join pg_catalog.pg_namespace ocn on ocn.oid = oc.opcnamespace
           left join pg_catalog.pg_collation gc on gc.oid = g.rngcollation
           left join pg_catalog.pg_namespace gn on gn.oid = gc.collnamespace
           where g.rngtypid = t.oid) end as range_options
from pg_catalog.pg_type t
join pg_catalog.pg_namespace n on n.oid = t.typnamespace
left join pg_catalog.pg_class c on c.oid = t.typrelid
left join pg_catalog.pg_type b on b.oid = t.typbasetype
left join pg_catalog.pg_collation co on co.oid = t.typcollation
left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace
left join pg_catalog.pg_description d
  on d.objoid = t.oid and d.classoid = 'pg_catalog.pg_type'::regclass
where (t.typtype in ('e', 'd', 'r') or t.typtype = 'c' and c.relkind = 'c')
  and {_USERS_SCHEMA} and {_no_member("pg_type", "t.oid")}
order by n.nspname, t.typname
"""

# Routines that a view, default, constraint, index, type or other such routine needs. What is only
# called by a trigger or by hand is not part of a schema's tables.
_ROUTINES = f"""
select p.oid::bigint as oid, n.nspname, p.proname, p.prokind::text as kind,
       d.description as comment,
       pg_catalog.oidvectortypes(p.proargtypes) as arguments,
       case when p.prokind <> 'a' then pg_catalog.pg_get_functiondef(p.oid)
       else 'CREATE AGGREGATE ' || pg_catalog.quote_ident(n.nspname) || '.'
            || pg_catalog.quote_ident(p.proname) || '('
            || case when p.pronargs = 0 then '*'
               else pg_catalog.pg_get_function_arguments(p.oid) end
            || E') (\\n    ' || pg_catalog.concat_ws(E',\\n    ',
               'SFUNC = ' || g.aggtransfn::text,
               'STYPE = ' || pg_catalog.format_type(g.aggtranstype, null),
               'SSPACE = ' || nullif(g.aggtransspace, 0),
               'FINALFUNC = ' || nullif(g.aggfinalfn, 0)::regproc::text,
               case when g.aggfinalextra then 'FINALFUNC_EXTRA' end,
               'COMBINEFUNC = ' || nullif(g.aggcombinefn, 0)::regproc::text,
               'SERIALFUNC = ' || nullif(g.aggserialfn, 0)::regproc::text,
               'DESERIALFUNC = ' || nullif(g.aggdeserialfn, 0)::regproc::text,
               'INITCOND = ' || pg_catalog.quote_literal(g.agginitval),
               'MSFUNC = ' || nullif(g.aggmtransfn, 0)::regproc::text,
               'MINVFUNC = ' || nullif(g.aggminvtransfn, 0)::regproc::text,
               'MSTYPE = ' || pg_catalog.format_type(nullif(g.aggmtranstype, 0), null),
               'MFINALFUNC = ' || nullif(g.aggmfinalfn, 0)::regproc::text,
               'MINITCOND = ' || pg_catalog.quote_literal(g.aggminitval),
               case g.aggkind when 'h' then 'HYPOTHETICAL' end,
               case p.proparallel when 's' then 'PARALLEL = safe'
                    when 'r' then 'PARALLEL = restricted' end)
            || E'\\n)' end as definition
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
left join pg_catalog.pg_aggregate g on g.aggfnoid = p.oid
left join pg_catalog.pg_description d
  on d.objoid = p.oid and d.classoid = 'pg_catalog.pg_proc'::regclass
where p.oid in (
    select u.refobjid from pg_catalog.pg_depend u
    where u.refclassid = 'pg_catalog.pg_proc'::regclass and u.refobjid >= 16384
      and u.deptype = 'n' and u.classid in (
          'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_attrdef'::regclass,
          'pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_class'::regclass,
          'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_proc'::regclass))
  and {_USERS_SCHEMA} and {_no_member("pg_proc", "p.oid")}
order by n.nspname, p.proname, 6
"""

# Which object names which, each as (class, oid): r = relation, t = type, p = routine. Objects
# below oid 16384 are the system's. Types are followed to what made them: an array to its element,
# a row type to its relation, a multirange to its range.
_DEPENDENCIES = """
select distinct
       case when d.classid = 'pg_catalog.pg_proc'::regclass then 'p'
            when d.classid = 'pg_catalog.pg_type'::regclass or k.contypid <> 0 then 't'
            else 'r' end as holder_class,
       coalesce(w.ev_class, f.adrelid, nullif(k.conrelid, 0), nullif(k.contypid, 0), x.indrelid,
                d.objid) as holder,
       case when d.refclassid = 'pg_catalog.pg_proc'::regclass then 'p'
            when d.refclassid = 'pg_catalog.pg_class'::regclass
              or coalesce(e.typrelid, t.typrelid) <> 0 then 'r'
            else 't' end as needed_class,
       coalesce(nullif(coalesce(e.typrelid, t.typrelid), 0), g.rngtypid, e.oid, d.refobjid)
           as needed
from pg_catalog.pg_depend d
left join pg_catalog.pg_rewrite w
  on d.classid = 'pg_catalog.pg_rewrite'::regclass and w.oid = d.objid
left join pg_catalog.pg_attrdef f
  on d.classid = 'pg_catalog.pg_attrdef'::regclass and f.oid = d.objid
left join pg_catalog.pg_constraint k
  on d.classid = 'pg_catalog.pg_constraint'::regclass and k.oid = d.objid
left join pg_catalog.pg_index x
  on d.classid = 'pg_catalog.pg_class'::regclass and x.indexrelid = d.objid
left join pg_catalog.pg_type t
  on d.refclassid = 'pg_catalog.pg_type'::regclass and t.oid = d.refobjid
left join pg_catalog.pg_type e on e.oid = t.typelem and e.typarray = t.oid
left join pg_catalog.pg_range g
  on t.typtype = 'm' and (pg_catalog.to_jsonb(g) ->> 'rngmultitypid')::oid = t.oid
where d.deptype = 'n' and d.refobjid >= 16384
  -- Of the rules only those that are a view's query.
  and (w.rulename is null or w.rulename = '_RETURN')
  and (d.refclassid = 'pg_catalog.pg_class'::regclass
       and (d.classid in ('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_proc'::regclass)
         or d.classid = 'pg_catalog.pg_attrdef'::regclass and d.refobjsubid = 0
         or d.classid = 'pg_catalog.pg_constraint'::regclass and k.contype in ('c', 'x')
            and d.refobjid <> k.conrelid)
    or d.refclassid in ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass)
       and d.classid in (
           'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_attrdef'::regclass,
           'pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_class'::regclass,
           'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_proc'::regclass))
"""


# What there is little of comes together, each answer as JSON, for the sake of the round trips.
_LITTLE = f"""
select (select pg_catalog.json_agg(r)::text from ({_PLACES}) r) as places,
       (select pg_catalog.json_agg(r)::text from ({_TYPES}) r) as types,
       (select pg_catalog.json_agg(r)::text from ({_ROUTINES}) r) as routines
"""


def statements(major: int) -> dict[str, str]:
    """What is sent to a server of that major release, by what it asks for; `little` comes first.

    The order of their rows is not promised.
    """
    return {
        "little": _LITTLE,
        "tables": _TABLES,
        "columns": _COLUMNS,
        "constraints": _constraints(major),
        "indexes": _indexes(major),
        "dependencies": _DEPENDENCIES,
    }


SAMPLES = f"""
with relations as ({_RELATIONS})
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
