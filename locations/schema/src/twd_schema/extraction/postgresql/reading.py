"""PostgreSQL's schema from its system catalogs, in a fixed number of statements.

One repeatable-read, read-only transaction sees one consistent state. The server itself deparses
types, defaults, constraints and definitions, with an empty search_path, so that every name from
outside pg_catalog comes qualified. Catalogs: https://www.postgresql.org/docs/current/catalogs.html
"""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg

from twd_schema.extraction.address import SourceAddress
from twd_schema.extraction.limits import ReadLimits
from twd_shared.errors import SourceRefused, SourceUnavailable, TwdError
from twd_shared.schema_model.models import (
    Column,
    Constraint,
    DomainType,
    EnumType,
    ForeignKey,
    Index,
    Key,
    Snapshot,
    Table,
    TableKind,
)

_KINDS: Mapping[str, TableKind] = {
    "r": "table",
    "p": "partitioned_table",
    "v": "view",
    "m": "materialized_view",
    "f": "foreign_table",
}
_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_IDENTITIES = {"a": "always", "d": "by default"}

# Relations that a user made: no system schema, no member of an extension, and no partition, as
# partitions are folded under their parent.
_RELATIONS = """
    select c.oid, n.nspname, c.relname, c.relkind
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
      and not c.relispartition
      and n.nspname not in ('pg_catalog', 'information_schema')
      and n.nspname not like 'pg\\_toast%' and n.nspname not like 'pg\\_temp\\_%'
      and not exists (
          select from pg_catalog.pg_depend d
          where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
"""

_SERVER = "select current_database() as name, current_setting('server_version') as version"

_TABLES = f"""
with relations as ({_RELATIONS})
select r.oid, r.nspname, r.relname, r.relkind::text as kind,
       pg_catalog.obj_description(r.oid, 'pg_class') as comment,
       case when r.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(r.oid) end as definition,
       case when r.relkind = 'p' then pg_catalog.pg_get_partkeydef(r.oid) end as partition_key
from relations r
order by r.nspname, r.relname
"""

_COLUMNS = f"""
with relations as ({_RELATIONS})
select a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
       a.attnotnull, a.attidentity::text as identity, a.attgenerated::text as generated,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid) as expression,
       case when a.attcollation <> t.typcollation
            then pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname)
       end as collation,
       pg_catalog.col_description(a.attrelid, a.attnum) as comment
from relations r
join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join pg_catalog.pg_collation co on co.oid = a.attcollation
left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace
order by a.attrelid, a.attnum
"""

_CONSTRAINTS = f"""
with relations as ({_RELATIONS})
select k.conrelid, k.conname, k.contype::text as kind,
       pg_catalog.pg_get_constraintdef(k.oid) as definition,
       (select array_agg(a.attname::text order by p.place)
        from unnest(k.conkey) with ordinality as p(attnum, place)
        join pg_catalog.pg_attribute a
          on a.attrelid = k.conrelid and a.attnum = p.attnum) as columns,
       fn.nspname as foreign_schema, fc.relname as foreign_table,
       (select array_agg(a.attname::text order by p.place)
        from unnest(k.confkey) with ordinality as p(attnum, place)
        join pg_catalog.pg_attribute a
          on a.attrelid = k.confrelid and a.attnum = p.attnum) as foreign_columns,
       k.confupdtype::text as on_update, k.confdeltype::text as on_delete,
       k.condeferrable, k.condeferred
from relations r
join pg_catalog.pg_constraint k on k.conrelid = r.oid and k.contype in ('p', 'u', 'f', 'c', 'x')
  -- A key to a partitioned table has a copy for each of its partitions.
  and k.conparentid = 0
left join pg_catalog.pg_class fc on fc.oid = k.confrelid
left join pg_catalog.pg_namespace fn on fn.oid = fc.relnamespace
order by k.conrelid, k.conname
"""

_INDEXES = f"""
with relations as ({_RELATIONS})
select i.indrelid, ic.relname, i.indisunique,
       pg_catalog.pg_get_indexdef(i.indexrelid) as definition,
       array(select pg_catalog.pg_get_indexdef(i.indexrelid, place, true)
             from generate_series(1, i.indnkeyatts) as place) as columns
from relations r
join pg_catalog.pg_index i on i.indrelid = r.oid and i.indislive
join pg_catalog.pg_class ic on ic.oid = i.indexrelid
where not exists (
    select from pg_catalog.pg_constraint k
    where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
order by i.indrelid, ic.relname
"""

_TYPES = """
select t.oid, n.nspname, t.typname, t.typtype::text as kind,
       pg_catalog.obj_description(t.oid, 'pg_type') as comment,
       case when t.typtype = 'd'
            then pg_catalog.format_type(t.typbasetype, t.typtypmod) end as base,
       t.typnotnull, t.typdefault,
       (select array_agg(e.enumlabel::text order by e.enumsortorder)
        from pg_catalog.pg_enum e where e.enumtypid = t.oid) as labels,
       (select array_agg(array[k.conname::text, pg_catalog.pg_get_constraintdef(k.oid)]
                         order by k.conname)
        from pg_catalog.pg_constraint k
        where k.contypid = t.oid and k.contype = 'c') as constraints
from pg_catalog.pg_type t
join pg_catalog.pg_namespace n on n.oid = t.typnamespace
where t.typtype in ('e', 'd')
  and n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname not like 'pg\\_temp\\_%'
  and not exists (
      select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')
order by n.nspname, t.typname
"""

STATEMENTS = (_SERVER, _TABLES, _COLUMNS, _CONSTRAINTS, _INDEXES, _TYPES)
"""What one reading sends, whatever the size of the database."""

_Rows = Sequence[Mapping[str, Any]]


async def read_postgresql(label: str, address: SourceAddress, limits: ReadLimits) -> Snapshot:
    """The schema of the database at `address`; `label` names the connection in errors.

    Raises SourceUnavailable when it cannot be reached or takes longer than `limits` allow, and
    SourceRefused when it answers and refuses. A reading that is cut off gives no snapshot.
    """
    with _source_errors(label, address, limits):
        # The limit over all of it is for a server that accepts and then says nothing.
        async with asyncio.timeout(limits.connect_seconds + limits.statement_seconds):
            results = await _fetch_all(address, limits)
    with _no_cycle_collection():
        return _snapshot(*results)


async def _fetch_all(address: SourceAddress, limits: ReadLimits) -> list[_Rows]:
    connection = await asyncpg.connect(
        host=address.host,
        port=address.port or 5432,
        user=address.user or None,
        password=address.password,
        database=address.database,
        ssl=address.ssl_mode,
        timeout=limits.connect_seconds,  # pyright: ignore[reportArgumentType]
        statement_cache_size=0,
        server_settings={
            "application_name": "twd-schema",
            "search_path": "",
            "default_transaction_read_only": "on",
            "statement_timeout": str(int(limits.statement_seconds * 1000)),
            "lock_timeout": str(int(limits.lock_seconds * 1000)),
        },
    )
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return [await connection.fetch(statement) for statement in STATEMENTS]
    finally:
        # A polite close waits for the server; one that hangs must not hold us.
        connection.terminate()


def _snapshot(
    server: _Rows, tables: _Rows, columns: _Rows, constraints: _Rows, indexes: _Rows, types: _Rows
) -> Snapshot:
    columns_of = _grouped(columns, "attrelid")
    constraints_of = _grouped(constraints, "conrelid")
    indexes_of = _grouped(indexes, "indrelid")
    return Snapshot(
        dialect="postgresql",
        database_name=server[0]["name"],
        server_version=server[0]["version"],
        tables=tuple(
            _table(row, columns_of[row["oid"]], constraints_of[row["oid"]], indexes_of[row["oid"]])
            for row in tables
        ),
        enums=tuple(_enum(row) for row in types if row["kind"] == "e"),
        domains=tuple(_domain(row) for row in types if row["kind"] == "d"),
    )


def _table(
    row: Mapping[str, Any],
    columns: Iterable[Mapping[str, Any]],
    constraints: Sequence[Mapping[str, Any]],
    indexes: Iterable[Mapping[str, Any]],
) -> Table:
    keys = {
        kind: [
            Key(name=item["conname"], columns=tuple(item["columns"]))
            for item in constraints
            if item["kind"] == kind
        ]
        for kind in ("p", "u")
    }
    return Table(
        schema=row["nspname"],
        name=row["relname"],
        kind=_KINDS[row["kind"]],
        columns=tuple(_column(item) for item in columns),
        primary_key=keys["p"][0] if keys["p"] else None,
        unique_constraints=tuple(keys["u"]),
        foreign_keys=tuple(_foreign_key(item) for item in constraints if item["kind"] == "f"),
        constraints=tuple(
            Constraint(name=item["conname"], definition=item["definition"])
            for item in constraints
            if item["kind"] in ("c", "x")
        ),
        indexes=tuple(
            Index(
                name=item["relname"],
                columns=tuple(item["columns"]),
                unique=item["indisunique"],
                definition=item["definition"],
            )
            for item in indexes
        ),
        definition=row["definition"],
        partition_key=row["partition_key"],
        comment=row["comment"],
    )


def _column(row: Mapping[str, Any]) -> Column:
    generated = bool(row["generated"])
    return Column(
        name=row["attname"],
        type=row["type"],
        nullable=not row["attnotnull"],
        default=None if generated else row["expression"],
        identity=_IDENTITIES.get(row["identity"]),  # pyright: ignore[reportArgumentType]
        generated=row["expression"] if generated else None,
        collation=row["collation"],
        comment=row["comment"],
        virtual=row["generated"] == "v",
    )


def _foreign_key(row: Mapping[str, Any]) -> ForeignKey:
    return ForeignKey(
        name=row["conname"],
        columns=tuple(row["columns"]),
        referenced_schema=row["foreign_schema"],
        referenced_table=row["foreign_table"],
        referenced_columns=tuple(row["foreign_columns"]),
        on_update=_ACTIONS[row["on_update"]],
        on_delete=_ACTIONS[row["on_delete"]],
        deferrable=row["condeferrable"],
        initially_deferred=row["condeferred"],
    )


def _enum(row: Mapping[str, Any]) -> EnumType:
    return EnumType(
        schema=row["nspname"],
        name=row["typname"],
        labels=tuple(row["labels"] or ()),
        comment=row["comment"],
    )


def _domain(row: Mapping[str, Any]) -> DomainType:
    return DomainType(
        schema=row["nspname"],
        name=row["typname"],
        type=row["base"],
        nullable=not row["typnotnull"],
        default=row["typdefault"],
        constraints=tuple(
            Constraint(name=name, definition=definition)
            for name, definition in row["constraints"] or ()
        ),
        comment=row["comment"],
    )


def _grouped(rows: _Rows, key: str) -> defaultdict[Any, list[Mapping[str, Any]]]:
    groups: defaultdict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


@contextmanager
def _no_cycle_collection() -> Iterator[None]:
    # The values hold no cycles, and looking for some while 100,000 are made costs the most time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _source_errors(label: str, address: SourceAddress, limits: ReadLimits) -> Iterator[None]:
    where = f"{label} at {address.place}"
    try:
        yield
    except TwdError:
        raise
    except asyncpg.InvalidAuthorizationSpecificationError:
        raise SourceRefused(
            f"{where} refused user {address.user!r}: wrong password, unknown user or not allowed "
            "from here (pg_hba.conf). Correct the connection in the application."
        ) from None
    except asyncpg.InvalidCatalogNameError:
        raise SourceRefused(
            f"{where}: there is no database {address.database!r} on that server. "
            "Correct the connection in the application."
        ) from None
    except asyncpg.InsufficientPrivilegeError:
        raise SourceRefused(
            f"{where}: user {address.user!r} may not connect or read the catalogs. "
            "Grant it CONNECT on the database and USAGE on its schemas."
        ) from None
    except (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError):
        raise SourceRefused(
            f"{where} holds a name or comment that is not text in the encoding that the database "
            "claims (often SQL_ASCII). Rename it, or move the database to UTF8."
        ) from None
    except (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, TimeoutError):
        raise SourceUnavailable(
            f"{where} did not answer in time (connect {limits.connect_seconds:g} s, "
            f"statements {limits.statement_seconds:g} s). Check its load and the network."
        ) from None
    except asyncpg.PostgresError as error:
        state = getattr(error, "sqlstate", None)
        raise SourceUnavailable(
            f"{where} failed with SQLSTATE {state} ({type(error).__name__}). "
            "Look at that server's log."
        ) from None
    except ssl.SSLError:
        raise SourceUnavailable(
            f"{where}: the TLS handshake failed. Check sslmode in the connection string."
        ) from None
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise SourceUnavailable(
            f"{where} cannot be reached ({type(error).__name__}). Check host and port, that the "
            "server runs, and that it can be reached from here."
        ) from None
