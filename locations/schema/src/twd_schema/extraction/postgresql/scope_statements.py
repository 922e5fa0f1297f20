"""Which objects of a PostgreSQL database are read: those that its users made."""

from __future__ import annotations

# A schema that a user made. All names that begin with pg_ are the system's.
USERS_SCHEMA = """
    n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
"""


def no_member(catalog: str, oid: str) -> str:
    """The condition that an object came with no extension, which brings it by itself."""
    return f"""{oid} <> all (array(
          select e.objid from pg_catalog.pg_depend e
          where e.refclassid = 'pg_catalog.pg_extension'::regclass
            and e.classid = 'pg_catalog.{catalog}'::regclass and e.deptype = 'e'))"""


# What a relation `c` in the schema `n` is: not temporary, and made by a user.
USERS_RELATION = f"""
    c.relpersistence <> 't' and {USERS_SCHEMA} and {no_member("pg_class", "c.oid")}
"""
TABLE_KINDS = "'r', 'p', 'v', 'm', 'f'"

RELATIONS = f"""
    select c.oid, n.nspname, c.relname, c.relkind, c.relispartition
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ({TABLE_KINDS}) and {USERS_RELATION}
"""
