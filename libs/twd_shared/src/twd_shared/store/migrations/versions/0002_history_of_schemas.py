"""History of schemas: when versions ended, statistics, views and functions for people"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_END_OF_VERSIONS = """
update twd.snapshots s set ended_at = n.taken_at
from twd.snapshots n
where n.connection_id = s.connection_id and n.version = s.version + 1
"""

_OBJECT_HISTORY = """
create view twd.object_history as
select c.connection_id, c.partition_key, c.database_name, o.kind, o.schema_name, o.object_name,
       o.from_version, o.to_version, f.taken_at as valid_from, l.ended_at as valid_to,
       o.fingerprint, b.body
from twd.snapshot_objects o
join twd.connections c using (connection_id)
join twd.schema_objects b using (fingerprint)
join twd.snapshots f on f.connection_id = o.connection_id and f.version = o.from_version
left join twd.snapshots l on l.connection_id = o.connection_id and l.version = o.to_version - 1
"""

_CURRENT_TABLE_STATISTICS = """
create view twd.current_table_statistics as
select c.connection_id, c.partition_key, c.database_name, t.body ->> 'schema' as schema_name,
       t.body ->> 'table' as table_name, (t.body ->> 'row_estimate')::bigint as row_estimate,
       (t.body ->> 'size_bytes')::bigint as size_bytes,
       coalesce(t.body -> 'categories', '{}') as categories, s.read_at
from twd.table_statistics s
join twd.connections c using (connection_id)
cross join lateral jsonb_array_elements(s.body) as t(body)
"""

_SCHEMA_AS_OF = """
create function twd.schema_as_of(connection_id text, moment timestamptz)
returns table (version integer, kind text, schema_name text, object_name text, fingerprint text,
               body jsonb)
language plpgsql stable as $$
#variable_conflict use_column
declare
    newest integer := (
        select max(s.version) from twd.snapshots s
        where s.connection_id = schema_as_of.connection_id and s.taken_at <= moment
          and (s.ended_at is null or s.ended_at > moment));
begin
    if newest is null then
        raise exception 'Connection % has no stored snapshot of %.',
            schema_as_of.connection_id, moment
            using hint = 'twd.snapshots lists the versions that are kept.';
    end if;
    return query
        select newest, o.kind, o.schema_name, o.object_name, o.fingerprint, b.body
        from twd.snapshot_objects o join twd.schema_objects b using (fingerprint)
        where o.connection_id = schema_as_of.connection_id and o.from_version <= newest
          and (o.to_version is null or o.to_version > newest);
end $$
"""

# What did not end and did not start between the two versions is not looked at. An object may end
# and start again with the same content, around versions that are forgotten: that is no change.
_SCHEMA_CHANGES = """
create function twd.schema_changes(connection_id text, from_version integer, to_version integer)
returns table (kind text, schema_name text, object_name text, change text, from_fingerprint text,
               to_fingerprint text)
language plpgsql stable as $$
#variable_conflict use_column
declare
    earlier integer := least(schema_changes.from_version, schema_changes.to_version);
    later integer := greatest(schema_changes.from_version, schema_changes.to_version);
    forwards boolean := schema_changes.from_version = earlier;
    asked integer;
begin
    foreach asked in array array[schema_changes.from_version, schema_changes.to_version] loop
        if asked <> 0 and not exists (
            select from twd.snapshots s
            where s.connection_id = schema_changes.connection_id and s.version = asked)
        then
            raise exception 'Connection % has no stored snapshot of version %.',
                schema_changes.connection_id, asked
                using hint = 'twd.snapshots lists the versions that are kept.';
        end if;
    end loop;
    return query
        with ended as (
            select * from twd.snapshot_objects o
            where o.connection_id = schema_changes.connection_id and o.from_version <= earlier
              and o.to_version > earlier and o.to_version <= later
        ), started as (
            select * from twd.snapshot_objects o
            where o.connection_id = schema_changes.connection_id and o.from_version > earlier
              and o.from_version <= later and (o.to_version is null or o.to_version > later)
        ), differing as (
            select kind, schema_name, object_name,
                   case when forwards then e.fingerprint else s.fingerprint end as was,
                   case when forwards then s.fingerprint else e.fingerprint end as is_now
            from ended e full join started s using (kind, schema_name, object_name)
            where e.fingerprint is distinct from s.fingerprint
        )
        select kind, schema_name, object_name,
               case when was is null then 'added' when is_now is null then 'removed'
                    else 'modified' end,
               was, is_now
        from differing;
end $$
"""

_VERSION_CHANGES = """
create view twd.version_changes as
select c.connection_id, c.partition_key, c.database_name, v.version, v.previous_version,
       v.taken_at, d.kind, d.schema_name, d.object_name, d.change, d.from_fingerprint,
       d.to_fingerprint
from (
    select s.connection_id, s.version, s.taken_at,
           lag(s.version, 1, 0) over (partition by s.connection_id order by s.version)
           as previous_version
    from twd.snapshots s
) v
join twd.connections c using (connection_id)
cross join lateral twd.schema_changes(v.connection_id, v.previous_version, v.version) d
where v.version = 1 or v.previous_version > 0
"""

_COMMENTS = {
    "view twd.current_tables": "Tables and views of the newest version of each source's schema",
    "view twd.current_columns": "Columns of the tables and views in twd.current_tables",
    "view twd.object_history": (
        "Contents of schema objects and when they were valid: as of T is "
        "valid_from <= T and (valid_to is null or valid_to > T)"
    ),
    "view twd.current_table_statistics": (
        "Row estimates, sizes in bytes and categories of columns, as the last reading of each "
        "source found them; null = not known"
    ),
    "function twd.schema_as_of": (
        "The schema of a connection as it was at a moment, an object a row; fails if that was "
        "before its first reading, or the version of then is forgotten"
    ),
    "function twd.schema_changes": (
        "What differs between two versions of a schema, in either direction; version 0 is the "
        "empty schema before all. Fails if a version is not stored"
    ),
    "view twd.version_changes": (
        "What each version changed, against the version before it that is kept; version 1, against "
        "nothing"
    ),
}


def upgrade() -> None:
    op.add_column(
        "snapshots",
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the next version was taken; null = newest",
        ),
        schema="twd",
    )
    op.add_column(
        "snapshots",
        sa.Column(
            "unconfirmed",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="[]",
            nullable=False,
            comment="[kind, schema, name] of objects that the last reading could not tell of",
        ),
        schema="twd",
    )
    op.execute(_END_OF_VERSIONS)
    op.create_table_comment(
        "schema_objects",
        "Content of schema objects, stored once per content",
        existing_comment="Content of tables, enums and domains, stored once per content",
        schema="twd",
    )
    op.create_index(
        "snapshot_objects_from_idx",
        "snapshot_objects",
        ["connection_id", "from_version"],
        unique=False,
        schema="twd",
    )
    op.create_index(
        "snapshot_objects_to_idx",
        "snapshot_objects",
        ["connection_id", "to_version"],
        unique=False,
        schema="twd",
    )
    op.create_index(
        "snapshot_objects_fingerprint_idx",
        "snapshot_objects",
        ["fingerprint"],
        unique=False,
        schema="twd",
    )
    op.drop_index(
        "snapshot_objects_current_idx",
        table_name="snapshot_objects",
        schema="twd",
        postgresql_where=sa.text("to_version IS NULL"),
    )
    op.create_table(
        "table_statistics",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="One document a table",
        ),
        sa.Column(
            "read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f("table_statistics_connection_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("table_statistics_pkey")),
        schema="twd",
        comment="Row estimates, sizes and categories of each source's tables, as last read",
    )
    for create in (
        _OBJECT_HISTORY,
        _CURRENT_TABLE_STATISTICS,
        _SCHEMA_AS_OF,
        _SCHEMA_CHANGES,
        _VERSION_CHANGES,
    ):
        op.execute(create)
    for what, comment in _COMMENTS.items():
        quoted = comment.replace("'", "''")
        op.execute(f"comment on {what} is '{quoted}'")


def downgrade() -> None:
    op.execute("drop view twd.version_changes")
    op.execute("drop function twd.schema_changes(text, integer, integer)")
    op.execute("drop function twd.schema_as_of(text, timestamptz)")
    op.execute("drop view twd.current_table_statistics")
    op.execute("drop view twd.object_history")
    op.execute("comment on view twd.current_columns is null")
    op.execute("comment on view twd.current_tables is null")
    op.drop_table("table_statistics", schema="twd")
    op.create_index(
        "snapshot_objects_current_idx",
        "snapshot_objects",
        ["connection_id"],
        unique=False,
        schema="twd",
        postgresql_where=sa.text("to_version IS NULL"),
    )
    op.drop_index("snapshot_objects_fingerprint_idx", table_name="snapshot_objects", schema="twd")
    op.drop_index("snapshot_objects_to_idx", table_name="snapshot_objects", schema="twd")
    op.drop_index("snapshot_objects_from_idx", table_name="snapshot_objects", schema="twd")
    op.create_table_comment(
        "schema_objects",
        "Content of tables, enums and domains, stored once per content",
        existing_comment="Content of schema objects, stored once per content",
        schema="twd",
    )
    op.drop_column("snapshots", "unconfirmed", schema="twd")
    op.drop_column("snapshots", "ended_at", schema="twd")
