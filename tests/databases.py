"""Databases for tests: each gets its own, and a copy of a template is emptied and used again.

Making one writes nine megabytes, emptying one a few pages: a suite makes hundreds.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

_CATALOGS = (
    "class constraint proc trigger type enum rewrite attrdef extension event_trigger default_acl"
    " policy publication statistic_ext operator cast collation foreign_server"
).split()
# Whoever changes one of these rows leaves another transaction's number in it.
_DEFINITIONS = " union all ".join(
    [
        *(
            f"select concat('{c} ', oid, ' ', xmin) from pg_{c} where oid >= 16384"
            for c in _CATALOGS
        ),
        "select concat('namespace ', oid, ' ', xmin) from pg_namespace where nspname !~ '^pg_'",
        "select concat('column ', attrelid, ' ', attnum, ' ', xmin) from pg_attribute"
        " where attrelid >= 16384",
        "select concat('index ', indexrelid, ' ', xmin) from pg_index where indexrelid >= 16384",
        "select concat('sequence ', seqrelid, ' ', xmin) from pg_sequence",
        "select concat('comment ', objoid, ' ', objsubid, ' ', xmin) from pg_description"
        " where objoid >= 16384",
        "select concat('database ', datacl, ' ', datconnlimit, ' ', setconfig) from pg_database d"
        " left join pg_db_role_setting s on s.setdatabase = d.oid"
        " where d.datname = current_database()",
    ]
)
_TABLES = "select oid::regclass::text from pg_class where relkind = 'r' and oid >= 16384"
_EMPTY = """
do $$ declare one regclass; begin
  set local session_replication_role = replica;
  set local lock_timeout = '10s';
  for one in {tables} and pg_relation_size(oid) > 0 and oid <> all ('{{{kept}}}'::regclass[]) loop
    execute format('delete from %%s', one);
  end loop;
  perform setval(seqrelid, seqstart, false) from pg_sequence;
end $$
"""
# Of rows that were deleted, which nothing takes away: tests' server has no autovacuum.
_MOST_BYTES_MORE = 8_000_000


@dataclass(slots=True)
class _Template:
    """A database that is copied; `kept` are its tables with rows, `free` its emptied copies."""

    name: str
    kept: list[str]
    state: tuple[str, int]
    free: list[str] = field(default_factory=list[str])


class Databases:
    """The databases of one server that tests work in."""

    def __init__(self, admin_dsn: str) -> None:
        """`admin_dsn` is a superuser's address."""
        self._admin = sa.make_url(admin_dsn)
        self._engine = sa.create_engine(self._admin, isolation_level="AUTOCOMMIT")
        self._templates: dict[str, _Template] = {}
        self._in_use: list[tuple[str, _Template | None]] = []

    def new_name(self, kind: str) -> str:
        """A name for a database that the caller makes, and that is dropped after use."""
        name = _unique(kind)
        self._in_use.append((name, None))
        return name

    def copy(self, kind: str, make: Callable[[str], None]) -> str:
        """Address of a database as `make` fills an empty one, given its address.

        `make` is called for the first of a kind: all that are asked for by it are copies of that
        one, until one is back that can be emptied.
        """
        if kind not in self._templates:
            self._templates[kind] = self._template(_unique("template"), make)
        template = self._templates[kind]
        # A new name, as tests call other things after it.
        name = _unique(kind)
        if template.free:
            self._execute(f'alter database "{template.free.pop()}" rename to "{name}"')
        else:
            self._execute(f'create database "{name}" template "{template.name}"')
        self._in_use.append((name, template))
        return self._address(name)

    def end_of_use(self, before: int) -> None:
        """Take back what was made since there were `before` in use."""
        while self.in_use > before:
            name, template = self._in_use.pop()
            if template and self._emptied(name, template):
                template.free.append(name)
            else:
                self._execute(f'drop database if exists "{name}" with (force)')

    @property
    def in_use(self) -> int:
        """How many were made and not taken back."""
        return len(self._in_use)

    def close(self) -> None:
        """End the sessions."""
        self._engine.dispose()

    def _template(self, name: str, make: Callable[[str], None]) -> _Template:
        self._execute(f'create database "{name}"')
        make(self._address(name))
        with self._session(name) as session:
            tables = session.exec_driver_sql(_TABLES).scalars().all()
            kept = [
                table
                for table in tables
                if session.exec_driver_sql(f"select exists (select from {table})").scalar_one()
            ]
            return _Template(name, kept, _state(session, kept))

    def _emptied(self, name: str, template: _Template) -> bool:
        """Whether it is as its template is now; not if a test changed what is defined in it."""
        self._execute(
            f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{name}'"
        )
        with self._session(name) as session:
            definitions, size = _state(session, template.kept)
            if definitions != template.state[0] or size > template.state[1] + _MOST_BYTES_MORE:
                return False
            session.exec_driver_sql(_EMPTY.format(tables=_TABLES, kept=",".join(template.kept)))
            return True

    def _address(self, name: str) -> str:
        return self._admin.set(database=name).render_as_string(hide_password=False)

    def _execute(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)

    @contextmanager
    def _session(self, name: str) -> Iterator[sa.Connection]:
        engine = sa.create_engine(
            self._admin.set(database=name), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
        )
        with engine.connect() as session:
            yield session


def _unique(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex[:12]}"


def _state(session: sa.Connection, kept: list[str]) -> tuple[str, int]:
    """A mark of what is defined and of the rows of `kept`, and the size in bytes."""
    rows = [f"select concat('{one} ', ctid, ' ', xmin) from {one}" for one in kept]
    entries = " union all ".join([_DEFINITIONS, *rows])
    mark, size = session.exec_driver_sql(
        "select md5(string_agg(entry, ',' order by entry)), pg_database_size(current_database())"
        f" from ({entries}) as told(entry)"
    ).one()
    return mark, size
