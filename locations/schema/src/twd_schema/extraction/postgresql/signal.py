"""A cheap signal of a PostgreSQL database: it differs whenever its schema may have changed.

Each row of a catalog carries the transaction that wrote it (xmin), so that a sum over hashes of
key and xmin tells of each row that was written, added or deleted, at a fraction of what reading it
costs. Maintenance that writes catalogs (VACUUM FULL, GRANT) changes the signal too: it says where
to look, not that something is different. Of roles, which belong to no database, it says nothing: a
stored expression cannot hold a constant that names one. A server that was set back to a copy of
its files makes the same keys and transactions anew, and was started for that: so when it was is
told too. Of standbys it is not: several may answer at one address. System columns:
https://www.postgresql.org/docs/current/ddl-system-columns.html
"""

from __future__ import annotations

import asyncio

from twd_schema.extraction.postgresql import APPLICATION_NAME
from twd_shared.schema_model.fingerprint import digest
from twd_shared.sources.address import SourceAddress
from twd_shared.sources.limits import ReadLimits
from twd_shared.sources.postgresql import end_session, open_session, source_errors

# Objects below this id came with the database itself (FirstNormalObjectId).
_OWN = 16384

_TEMPORARY = "select c.oid from pg_catalog.pg_class c where c.relpersistence = 't'"
_STORED = f"""
    select c.oid from pg_catalog.pg_class c
    where c.oid >= {_OWN} and c.relpersistence <> 't'
      and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
"""
_TEMPORARY_PLACES = "select n.oid from pg_catalog.pg_namespace n where n.nspname ~ '^pg_'"

# (catalog, key of a row, which rows). Temporary tables come and go with every session, and are in
# no snapshot; neither are those of the server itself.
_CATALOGS = (
    ("pg_namespace", "t.oid", "t.nspname !~ '^pg_'"),
    (
        "pg_class",
        "t.oid",
        f"t.oid >= {_OWN} and t.relpersistence <> 't' and t.relkind <> 't'",
    ),
    ("pg_attribute", "t.attrelid, t.attnum", f"t.attnum > 0 and t.attrelid in ({_STORED})"),
    ("pg_attrdef", "t.oid", f"t.adrelid in ({_STORED})"),
    ("pg_constraint", "t.oid", f"t.oid >= {_OWN} and t.conrelid not in ({_TEMPORARY})"),
    # Before PostgreSQL 14 an index that was built concurrently becomes valid without a new xmin.
    (
        "pg_index",
        "t.indexrelid, t.indisvalid, t.indislive",
        f"t.indrelid in ({_STORED})",
    ),
    ("pg_inherits", "t.inhrelid, t.inhparent", f"t.inhrelid not in ({_TEMPORARY})"),
    ("pg_partitioned_table", "t.partrelid", "true"),
    ("pg_rewrite", "t.oid", f"t.ev_class in ({_STORED})"),
    ("pg_sequence", "t.seqrelid", f"t.seqrelid not in ({_TEMPORARY})"),
    (
        "pg_type",
        "t.oid",
        # Not arrays: they follow what they are of.
        f"t.oid >= {_OWN} and (t.typtype <> 'b' or t.typelem = 0)"
        f" and t.typnamespace not in ({_TEMPORARY_PLACES})",
    ),
    ("pg_enum", "t.oid", "true"),
    ("pg_range", "t.rngtypid", f"t.rngtypid >= {_OWN}"),
    (
        "pg_proc",
        "t.oid",
        f"t.oid >= {_OWN} and t.pronamespace not in ({_TEMPORARY_PLACES})",
    ),
    ("pg_aggregate", "t.aggfnoid::oid", f"t.aggfnoid >= {_OWN}"),
    ("pg_language", "t.oid", "true"),
    ("pg_operator", "t.oid", f"t.oid >= {_OWN}"),
    ("pg_opclass", "t.oid", f"t.oid >= {_OWN}"),
    ("pg_am", "t.oid", f"t.oid >= {_OWN}"),
    ("pg_collation", "t.oid", f"t.oid >= {_OWN}"),
    ("pg_ts_config", "t.oid", f"t.oid >= {_OWN}"),
    ("pg_ts_dict", "t.oid", f"t.oid >= {_OWN}"),
    ("pg_extension", "t.oid", "true"),
    ("pg_foreign_data_wrapper", "t.oid", "true"),
    ("pg_foreign_server", "t.oid", "true"),
    ("pg_foreign_table", "t.ftrelid", "true"),
    (
        "pg_description",
        "t.objoid, t.classoid, t.objsubid",
        f"t.objoid >= {_OWN} or t.classoid = 'pg_catalog.pg_namespace'::regclass",
    ),
    # Which column owns a sequence, and what belongs to an extension, is written nowhere else.
    (
        "pg_depend",
        "t.classid, t.objid, t.objsubid, t.refclassid, t.refobjid, t.refobjsubid",
        f"""t.deptype = 'e' and t.objid >= {_OWN}
        or t.deptype in ('a', 'i') and t.refobjsubid > 0
            and t.classid = 'pg_catalog.pg_class'::regclass
            and t.refclassid = 'pg_catalog.pg_class'::regclass
            and t.objid >= {_OWN} and t.refobjid not in ({_TEMPORARY})""",
    ),
)


def _sum(catalog: str, key: str, condition: str) -> str:
    return f"""
    (select count(*)::text || '/' || coalesce(sum(pg_catalog.hashtextextended(
            pg_catalog.concat_ws(':', {key}, t.xmin), 0)), 0)::text
     from pg_catalog.{catalog} t where {condition})"""


_SIGNAL = f"""
select pg_catalog.concat_ws(' ',
    pg_catalog.current_setting('server_version_num'),
    (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()),
    case when not pg_catalog.pg_is_in_recovery()
         then extract(epoch from pg_catalog.pg_postmaster_start_time()) end,
    {",".join(_sum(*catalog) for catalog in _CATALOGS)}
) as signal
"""


async def read_signal(label: str, address: SourceAddress, limits: ReadLimits) -> str:
    """The signal of the database at `address` now, 32 hex digits; one statement.

    The same as before: no catalog row that a snapshot is made of was written in between. `label`
    names the connection in errors. Raises SourceUnavailable and SourceRefused as a reading does.
    """
    with source_errors(label, address, limits):
        async with asyncio.timeout(limits.connect_seconds + limits.statement_seconds):
            session = await open_session(address, limits, APPLICATION_NAME)
            try:
                text = str(await session.fetchval(_SIGNAL))
            finally:
                await end_session(session)
    return digest(text.encode())
