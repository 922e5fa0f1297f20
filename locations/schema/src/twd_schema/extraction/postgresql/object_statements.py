"""What is asked of all that is no table: places, types, collations, routines, dependencies."""

from __future__ import annotations

import string

from twd_schema.extraction.postgresql.scope_statements import USERS_SCHEMA, no_member
from twd_schema.extraction.postgresql.values import BETWEEN_WORDS

# `needs` of the server is the mark of its database: an object's id means the same as long as it
# stays. The functions that tell the server's identifier may be withheld, and are looked at before a
# statement runs: ts_stat runs one that is given as text, so they are named only where they may be
# called. Elsewhere the mark is good until the server starts anew. When it did comes last.
_ORIGIN = """array[
    (select coalesce(pg_catalog.string_agg(s.word, ' ' order by s.word),
                     extract(epoch from pg_catalog.pg_postmaster_start_time())::text)
     from pg_catalog.ts_stat(
         case when pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute')
               and pg_catalog.has_function_privilege(
                       'pg_catalog.pg_control_checkpoint()', 'execute')
              then 'select pg_catalog.array_to_tsvector(
                        array[y.system_identifier::text, ''timeline '' || t.timeline_id::text])
                    from pg_catalog.pg_control_system() y, pg_catalog.pg_control_checkpoint() t'
              else 'select null::pg_catalog.tsvector' end) s),
    (select b.oid::text from pg_catalog.pg_database b
     where b.datname = pg_catalog.current_database()),
    extract(epoch from pg_catalog.pg_postmaster_start_time())::text]"""

# Extensions below oid 16384 came with the database itself, and are in every other one too.
PLACES = f"""
select 'server' as kind, 0::bigint as oid, pg_catalog.current_database()::text as name,
       pg_catalog.current_setting('server_version') as version,
       null::text as place, null::text as comment, {_ORIGIN} as needs
union all
select 'namespace', n.oid::bigint, n.nspname, null, null, d.description, null
from pg_catalog.pg_namespace n
left join pg_catalog.pg_description d
  on d.objoid = n.oid and d.classoid = 'pg_catalog.pg_namespace'::regclass
where {USERS_SCHEMA} and {no_member("pg_namespace", "n.oid")}
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

# Objects below oid 16384 are the system's. One for another encoding than the database's, as
# pg_import_system_collations makes them, cannot be named there. Where the locale stands differs by
# release, so that the whole row comes along.
COLLATIONS = f"""
select o.oid::bigint as oid, n.nspname, o.collname, d.description as comment,
       pg_catalog.to_jsonb(o) as attributes
from pg_catalog.pg_collation o
join pg_catalog.pg_namespace n on n.oid = o.collnamespace
left join pg_catalog.pg_description d
  on d.objoid = o.oid and d.classoid = 'pg_catalog.pg_collation'::regclass
where o.oid >= 16384
  and o.collencoding in (
      -1, pg_catalog.pg_char_to_encoding(pg_catalog.getdatabaseencoding()))
  and {USERS_SCHEMA} and {no_member("pg_collation", "o.oid")}
order by n.nspname, o.collname
"""

# What a server's release may not have yet is looked up in the row as JSON.
TYPES = f"""
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
       (select pg_catalog.array_agg(e.oid::bigint order by e.enumsortorder)
        from pg_catalog.pg_enum e where e.enumtypid = t.oid) as label_ids,
       (select pg_catalog.json_agg(pg_catalog.json_build_object(
                   'name', k.conname, 'kind', k.contype,
                   'definition', pg_catalog.pg_get_constraintdef(k.oid),
                   'comment', (
                       select kd.description from pg_catalog.pg_description kd
                       where kd.objoid = k.oid
                         and kd.classoid = 'pg_catalog.pg_constraint'::regclass))
               order by k.conname)::text
        from pg_catalog.pg_constraint k where k.contypid = t.oid) as constraints,
       case when t.typtype = 'c' then (
           select pg_catalog.json_agg(pg_catalog.json_build_object(
                      'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
                      'collation', case when a.attcollation <> at.typcollation
                          then pg_catalog.quote_ident(an.nspname) || '.'
                               || pg_catalog.quote_ident(ac.collname) end,
                      'comment', (
                          select ad.description from pg_catalog.pg_description ad
                          where ad.objoid = a.attrelid and ad.objsubid = a.attnum
                            and ad.classoid = 'pg_catalog.pg_class'::regclass))
                  order by a.attnum)::text
           from pg_catalog.pg_attribute a
           join pg_catalog.pg_type at on at.oid = a.atttypid
           left join pg_catalog.pg_collation ac on ac.oid = a.attcollation
           left join pg_catalog.pg_namespace an on an.oid = ac.collnamespace
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
left join pg_catalog.pg_type b on b.oid = t.typbasetype
left join pg_catalog.pg_collation co on co.oid = t.typcollation
left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace
left join pg_catalog.pg_description d
  on d.objoid = t.oid and d.classoid = 'pg_catalog.pg_type'::regclass
where (t.typtype in ('e', 'd', 'r')
    or t.typtype = 'c' and exists (
        select from pg_catalog.pg_class c where c.oid = t.typrelid and c.relkind = 'c'))
  and {USERS_SCHEMA} and {no_member("pg_type", "t.oid")}
order by n.nspname, t.typname
"""


def _modification(option: str, value: str, condition: str = "true") -> str:
    """What a final function may do to its state, where that is not what the kind implies."""
    usual = "case g.aggkind when 'n' then 'r' else 'w' end"
    return f"""case when {condition} and {value} <> {usual} then '{option} = ' || case {value}
                    when 'r' then 'READ_ONLY' when 's' then 'SHAREABLE' else 'READ_WRITE' end end"""


# Routines that a view, default, constraint, index, type or other such routine needs. What is only
# called by a trigger or by hand is not part of a schema's tables. Of what stands in a body that is
# a text, the server knows nothing: each routine comes that has the name of a word in it. The
# constructors of a range type are made with it, by the name that it has then.
ROUTINES = f"""
with recursive needed as (
    select u.refobjid as oid from pg_catalog.pg_depend u
    where u.refclassid = 'pg_catalog.pg_proc'::regclass and u.refobjid >= 16384
      and u.deptype = 'n' and u.classid in (
          'pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_attrdef'::regclass,
          'pg_catalog.pg_constraint'::regclass, 'pg_catalog.pg_class'::regclass,
          'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_proc'::regclass)
    union
    select o.oid
    from needed m
    join pg_catalog.pg_proc q on q.oid = m.oid
    join pg_catalog.pg_language l on l.oid = q.prolang and l.lanname = 'sql'
    cross join lateral (
        select distinct pg_catalog.unnest(array[s.word, pg_catalog.translate(
            s.word, '{string.ascii_uppercase}', '{string.ascii_lowercase}')])::name as word
        from pg_catalog.regexp_split_to_table(q.prosrc, '{BETWEEN_WORDS}') s(word)) w
    join pg_catalog.pg_proc o on o.proname = w.word and o.oid >= 16384
)
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
               'SSPACE = ' || nullif(g.aggtransspace, 0)::text,
               'FINALFUNC = ' || nullif(g.aggfinalfn, 0)::regproc::text,
               case when g.aggfinalextra then 'FINALFUNC_EXTRA' end,
               {_modification("FINALFUNC_MODIFY", "g.aggfinalmodify")},
               'COMBINEFUNC = ' || nullif(g.aggcombinefn, 0)::regproc::text,
               'SERIALFUNC = ' || nullif(g.aggserialfn, 0)::regproc::text,
               'DESERIALFUNC = ' || nullif(g.aggdeserialfn, 0)::regproc::text,
               'INITCOND = ' || pg_catalog.quote_literal(g.agginitval),
               'MSFUNC = ' || nullif(g.aggmtransfn, 0)::regproc::text,
               'MINVFUNC = ' || nullif(g.aggminvtransfn, 0)::regproc::text,
               'MSTYPE = ' || pg_catalog.format_type(nullif(g.aggmtranstype, 0), null),
               'MSSPACE = ' || nullif(g.aggmtransspace, 0)::text,
               'MFINALFUNC = ' || nullif(g.aggmfinalfn, 0)::regproc::text,
               case when g.aggmfinalextra then 'MFINALFUNC_EXTRA' end,
               {_modification("MFINALFUNC_MODIFY", "g.aggmfinalmodify", "g.aggmtransfn <> 0")},
               'MINITCOND = ' || pg_catalog.quote_literal(g.aggminitval),
               case g.aggkind when 'h' then 'HYPOTHETICAL' end,
               case p.proparallel when 's' then 'PARALLEL = safe'
                    when 'r' then 'PARALLEL = restricted' end)
            || E'\\n)' end as definition,
       case when l.lanname = 'sql' then p.prosrc end as body
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
join pg_catalog.pg_language l on l.oid = p.prolang
left join pg_catalog.pg_aggregate g on g.aggfnoid = p.oid
left join pg_catalog.pg_description d
  on d.objoid = p.oid and d.classoid = 'pg_catalog.pg_proc'::regclass
where p.oid in (select m.oid from needed m)
  and {USERS_SCHEMA} and {no_member("pg_proc", "p.oid")}
  and not exists (
      select from pg_catalog.pg_depend i
      join pg_catalog.pg_type t on t.oid = i.refobjid
        and t.typname = p.proname and t.typnamespace = p.pronamespace
      where i.classid = 'pg_catalog.pg_proc'::regclass and i.objid = p.oid and i.deptype = 'i'
        and i.refclassid = 'pg_catalog.pg_type'::regclass)
order by n.nspname, p.proname, 6
"""

# Which object names which, each as (class, oid): r = relation, t = type, p = routine. Objects
# below oid 16384 are the system's. Types are followed to what made them: an array to its element,
# a row type to its relation, a multirange to its range. Of the rules only a view's query counts,
# and no table needs the type that it is of: its columns are its own.
DEPENDENCIES = """
select distinct
       case when d.classid = 'pg_catalog.pg_proc'::regclass then 'p'
            when d.classid = 'pg_catalog.pg_type'::regclass or k.contypid <> 0 then 't'
            else 'r' end as holder_class,
       coalesce(w.ev_class, f.adrelid, nullif(k.conrelid, 0), nullif(k.contypid, 0), x.indrelid,
                d.objid)::bigint as holder,
       case when d.refclassid = 'pg_catalog.pg_proc'::regclass then 'p'
            when d.refclassid = 'pg_catalog.pg_class'::regclass
              or coalesce(e.typrelid, t.typrelid) <> 0 then 'r'
            else 't' end as needed_class,
       coalesce(nullif(coalesce(e.typrelid, t.typrelid), 0), g.rngtypid, e.oid, d.refobjid)::bigint
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
left join pg_catalog.pg_class o
  on d.classid = 'pg_catalog.pg_class'::regclass and o.oid = d.objid and d.objsubid = 0
left join pg_catalog.pg_type t
  on d.refclassid = 'pg_catalog.pg_type'::regclass and t.oid = d.refobjid
left join pg_catalog.pg_type e on e.oid = t.typelem and e.typarray = t.oid
left join pg_catalog.pg_range g
  on t.typtype = 'm' and (pg_catalog.to_jsonb(g) ->> 'rngmultitypid')::oid = t.oid
where d.deptype = 'n' and d.refobjid >= 16384
  and (w.rulename is null or w.rulename = '_RETURN')
  and (o.reloftype is null or o.reloftype <> d.refobjid)
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
