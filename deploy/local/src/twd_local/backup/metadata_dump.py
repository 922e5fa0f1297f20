"""Dumping the metadata database, with what a restore compares: all of one moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from psycopg2 import sql

from twd_local.backup.database import run_tool, session, tool_major, tool_path
from twd_local.backup.manifest import DUMP, StoredMetadata, stored_file
from twd_local.stack.errors import StackError

_TABLES = """
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname not like 'pg_toast%' and n.nspname not like 'pg_temp%'
order by 1, 2
"""
_GRANTEES = """
select distinct r.rolname from (
  select relacl, relowner from pg_class where relacl is not null
  union all select nspacl, nspowner from pg_namespace where nspacl is not null
) held(acl, owner), aclexplode(acl) a join pg_roles r on r.oid = a.grantee
where a.grantee <> held.owner and r.rolname not like 'pg\\_%' order by 1
"""


def dump_metadata(url: sa.URL, folder: Path) -> StoredMetadata:
    """Write the dump and describe it; the database goes on being used meanwhile."""
    path = folder / DUMP
    _require_whole(url)
    with session(url, autocommit=False) as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        cursor.execute(
            "select current_setting('server_version'), "
            "current_setting('server_version_num')::int / 10000, pg_export_snapshot()"
        )
        version, major, snapshot = cursor.fetchone()
        run_tool(
            url, "pg_dump", major, "--format=custom", f"--snapshot={snapshot}", f"--file={path}"
        )
        cursor.execute(_GRANTEES)
        grantees = [name for (name,) in cursor.fetchall()]
        return StoredMetadata(
            stored_file(path),
            rows_of(cursor),
            grantees,
            revision_of(cursor),
            version,
            tool_major(tool_path("pg_dump", major)),
        )


def before_restore(name: str) -> str:
    """The name that the database `name` has until what was restored is in its place."""
    return f"{name}_before_restore"


def _require_whole(url: sa.URL) -> None:
    """Nothing unless a restore has replaced the database, and perhaps not the index."""
    before = before_restore(str(url.database))
    with session(url) as cursor:
        cursor.execute("select 1 from pg_database where datname = %s", (before,))
        if cursor.fetchone() is not None:
            raise StackError(
                f"A restore has not come to its end: the database {before} is still there, and the "
                "index may be that of before. Run make restore again, of the same folder; then "
                "make a backup."
            )


def rows_of(cursor: Any) -> dict[str, int]:
    """Rows of each table, exactly."""
    cursor.execute(_TABLES)
    rows: dict[str, int] = {}
    for schema, table in cursor.fetchall():
        name = sql.Identifier(schema, table)
        cursor.execute(sql.SQL("select count(*) from {}").format(name))
        rows[f"{schema}.{table}"] = cursor.fetchone()[0]
    return rows


def revision_of(cursor: Any) -> str | None:
    """The Alembic revision of schema `twd`; None where there is none."""
    cursor.execute("select to_regclass('twd.alembic_version')")
    if cursor.fetchone()[0] is None:
        return None
    cursor.execute("select version_num from twd.alembic_version")
    found = cursor.fetchone()
    return found[0] if found else None
