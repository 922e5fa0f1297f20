"""Putting the metadata database back: a new one beside, made ready, then renamed into its place.

Until then the one from before is untouched. The two renamings are one transaction.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from psycopg2 import sql

from twd_local.backup.database import restore_dump, session
from twd_local.backup.manifest import StoredMetadata
from twd_local.backup.metadata_dump import before_restore, rows_of
from twd_local.stack.errors import StackError
from twd_shared.clients.dsn import place_of

_LEAVE_WITHIN_SECONDS = 15.0
_POLL_SECONDS = 0.2

# Bytes of a name that PostgreSQL keeps; it cuts off the rest without an error.
_LONGEST_NAME = 63

# Of nobody are autovacuum's workers, which PostgreSQL itself ends when a database is renamed.
_SESSIONS = """
select coalesce(nullif(application_name, ''), 'unnamed') || ' of role ' || coalesce(usename, '?')
  || coalesce(' from ' || host(client_addr), '')
from pg_stat_activity
where datname = %s and pid <> pg_backend_pid() and usesysid is not null
"""
# Nothing for a database that has the usual rights: everybody may connect.
_RIGHTS = """
select coalesce(r.rolname, 'public'), a.grantee = 0, lower(a.privilege_type)
from pg_database d cross join aclexplode(d.datacl) a left join pg_roles r on r.oid = a.grantee
where d.datname = %s
"""


class MetadataRestore:
    """The databases of one restore: `name`, and beside it the new one and the one from before."""

    def __init__(self, url: sa.URL, admin: sa.URL) -> None:
        """`url` is the metadata database as the software uses it; `admin` makes databases."""
        if url.database is None:
            raise StackError("TWD_METADATA_DSN names no database. Add its name: …/twd_metadata")
        self.name = url.database
        self.new = url.set(database=f"{self.name}_restoring")
        self._before = before_restore(self.name)
        if len(self._before.encode()) > _LONGEST_NAME:
            raise StackError(
                f"The database's name {self.name} is too long for a restore, which has a database "
                f"{self._before} beside it: PostgreSQL knows names of {_LONGEST_NAME} bytes. "
                "Nothing was changed. Give it a shorter one (alter database … rename to …), also "
                "in TWD_METADATA_DSN."
            )
        self._url = url
        self._admin = admin

    def fill(self, stored: StoredMetadata, dump: Path) -> list[str]:
        """Have the backup in the new database; gives roles that are missing, whose rights are not.

        Raises: StackError when pg_restore fails or the rows are not those of the backup.
        """
        with session(self._admin) as cursor:
            cursor.execute(
                "select rolname from pg_roles where rolname = any(%s)", (stored.grantees,)
            )
            missing = sorted(set(stored.grantees) - {name for (name,) in cursor.fetchall()})
            cursor.execute("select current_setting('server_version_num')::int / 10000")
            (server,) = cursor.fetchone()
            if self._exists(cursor, self.name):
                # What an earlier restore has put in its place is whole: it came after this.
                cursor.execute(_drop(self._before))
            self._drop_new(cursor)
            self._create(cursor)
        privileges = ["--no-privileges"] if missing else []
        restore_dump(self.new, server, dump, stored.pg_dump_version, *privileges)
        with session(self.new) as cursor:
            rows = rows_of(cursor)
        if rows != stored.rows:
            wrong = sorted(
                name for name in rows | stored.rows if rows.get(name) != stored.rows.get(name)
            )
            raise StackError(
                f"{place_of(self.new)} does not hold the rows of the backup: {', '.join(wrong)}. "
                "The database in use was not changed. Is somebody else writing to it?"
            )
        return missing

    def require_alone(self) -> None:
        """Nothing if nobody uses the database in use; raises StackError with who does."""
        deadline = time.monotonic() + _LEAVE_WITHIN_SECONDS
        while sessions := self._sessions():
            if time.monotonic() > deadline:
                raise StackError(
                    f"{len(sessions)} sessions use {place_of(self._url)}: {'; '.join(sessions)}. "
                    "Nothing was changed. Stop these programs (code servers, daemon, webserver, "
                    "readers), and run make restore again."
                )
            time.sleep(_POLL_SECONDS)

    def serve(self) -> None:
        """Put the new database in the place of the one in use, which is kept under another name."""
        self.require_alone()
        with session(self._admin, autocommit=False) as cursor:
            if self._exists(cursor, self.name):
                cursor.execute(_rename(self.name, self._before))
            cursor.execute(_rename(str(self.new.database), self.name))

    def abandon(self) -> None:
        """Delete what `fill` has made: it may be what the disk has no room for."""
        with session(self._admin) as cursor:
            self._drop_new(cursor)

    def settle(self) -> None:
        """Delete the database from before."""
        with session(self._admin) as cursor:
            cursor.execute(_drop(self._before))

    def _drop_new(self, cursor: Any) -> None:
        # Whoever is in it is a program of a restore that was killed, which goes on without it.
        statement = sql.SQL("drop database if exists {} with (force)")
        cursor.execute(statement.format(sql.Identifier(str(self.new.database))))

    def _create(self, cursor: Any) -> None:
        """Make the new database, with the owner and the rights of the one in use."""
        new = sql.Identifier(str(self.new.database))
        cursor.execute(sql.SQL("create database {} template template0").format(new))
        owner = sql.Identifier(str(self._url.username))
        cursor.execute(sql.SQL("alter database {} owner to {}").format(new, owner))
        cursor.execute(_RIGHTS, (self.name,))
        rights = cursor.fetchall()
        if rights:
            cursor.execute(sql.SQL("revoke all on database {} from public").format(new))
        for role, is_public, right in rights:
            cursor.execute(
                sql.SQL("grant {} on database {} to {}").format(
                    sql.SQL(right), new, sql.SQL("public") if is_public else sql.Identifier(role)
                )
            )

    def _exists(self, cursor: Any, name: str) -> bool:
        cursor.execute("select 1 from pg_database where datname = %s", (name,))
        return cursor.fetchone() is not None

    def _sessions(self) -> list[str]:
        with session(self._admin) as cursor:
            cursor.execute(_SESSIONS, (self.name,))
            return [text for (text,) in cursor.fetchall()]


def _drop(name: str) -> sql.Composed:
    return sql.SQL("drop database if exists {}").format(sql.Identifier(name))


def _rename(name: str, new: str) -> sql.Composed:
    return sql.SQL("alter database {} rename to {}").format(
        sql.Identifier(name), sql.Identifier(new)
    )
