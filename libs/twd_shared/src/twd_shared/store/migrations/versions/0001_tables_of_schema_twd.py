"""The tables of schema twd"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_CURRENT_TABLES = """
create view twd.current_tables as
select c.connection_id, c.partition_key, c.database_name, o.schema_name,
       o.object_name as table_name, b.body ->> 'kind' as kind, b.body ->> 'comment' as comment,
       jsonb_array_length(coalesce(b.body -> 'columns', '[]')) as column_count,
       o.from_version, o.fingerprint, b.body
from twd.snapshot_objects o
join twd.connections c using (connection_id)
join twd.schema_objects b using (fingerprint)
where o.kind = 'table' and o.to_version is null
"""

_CURRENT_COLUMNS = """
create view twd.current_columns as
select t.connection_id, t.partition_key, t.database_name, t.schema_name, t.table_name,
       (c.position)::integer as position, c.body ->> 'name' as column_name,
       c.body ->> 'type' as type, coalesce((c.body ->> 'nullable')::boolean, true) as nullable,
       c.body ->> 'default' as default_expression, c.body ->> 'comment' as comment
from twd.current_tables t
cross join lateral jsonb_array_elements(t.body -> 'columns') with ordinality as c(body, position)
"""


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column(
            "alert_key", sa.Text(), nullable=False, comment="The same event has the same key"
        ),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "raised_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("alert_key", name=op.f("alerts_pkey")),
        schema="twd",
        comment="Alerts raised, and whether the webhook has taken them",
    )
    op.create_table(
        "connections",
        sa.Column("connection_id", sa.Text(), nullable=False, comment="Id in the application"),
        sa.Column("partition_key", sa.Text(), nullable=False, comment="Frozen, readable"),
        sa.Column("database_name", sa.Text(), nullable=False),
        sa.Column("db_type", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("status_reason", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "status_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("connections_pkey")),
        sa.UniqueConstraint("partition_key", name=op.f("connections_partition_key_key")),
        schema="twd",
        comment="Source databases that the application has connected; one is one partition",
    )
    op.create_table(
        "daily_query_stats",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False, comment="'*' = all, '' = not known"),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("successful", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("unanswered", sa.Integer(), nullable=False),
        sa.Column("unique_users", sa.Integer(), nullable=False),
        sa.Column("average_response_ms", sa.Double(), nullable=True),
        sa.Column("p50_response_ms", sa.Double(), nullable=True),
        sa.Column("p95_response_ms", sa.Double(), nullable=True),
        sa.Column("most_common_queries", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("top_tables", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "computed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("day", "connection_id", name=op.f("daily_query_stats_pkey")),
        schema="twd",
        comment="What people asked, per day and connection",
    )
    op.create_table(
        "daily_sql_accuracy",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False, comment="'*' = all, '' = not known"),
        sa.Column(
            "model_version", sa.Integer(), nullable=True, comment="Live on that day, if one was"
        ),
        sa.Column("generated", sa.Integer(), nullable=False),
        sa.Column("parsed", sa.Integer(), nullable=False),
        sa.Column("executed", sa.Integer(), nullable=False),
        sa.Column("error_classes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("problematic_tables", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "computed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("day", "connection_id", name=op.f("daily_sql_accuracy_pkey")),
        schema="twd",
        comment="How often the generated SQL was right, per day and connection",
    )
    op.create_table(
        "schema_objects",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("schema_objects_pkey")),
        schema="twd",
        comment="Content of tables, enums and domains, stored once per content",
    )
    op.create_table(
        "index_states",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("model_digest", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("snapshot_version", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("point_count", sa.Integer(), nullable=False),
        sa.Column(
            "published_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f("index_states_connection_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("index_states_pkey")),
        schema="twd",
        comment="What the schema index holds of each source",
    )
    op.create_table(
        "model_evaluations",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("question_set_hash", sa.Text(), nullable=False),
        sa.Column("question_count", sa.Integer(), nullable=False),
        sa.Column(
            "scores",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="recall@k, complete recall@k, MRR",
        ),
        sa.Column(
            "evaluated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f("model_evaluations_connection_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "connection_id", "version", "question_set_hash", name=op.f("model_evaluations_pkey")
        ),
        schema="twd",
        comment="Retrieval scores of knowledge-base versions",
    )
    op.create_table(
        "model_versions",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("snapshot_version", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("model_digest", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("ddl_count", sa.Integer(), nullable=False),
        sa.Column("documentation_count", sa.Integer(), nullable=False),
        sa.Column("question_sql_count", sa.Integer(), nullable=False),
        sa.Column(
            "collections",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Alias -> physical collection; empty = dropped",
        ),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column(
            "published_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f("model_versions_connection_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("connection_id", "version", name=op.f("model_versions_pkey")),
        schema="twd",
        comment="Versions of each source's knowledge base",
    )
    op.create_table(
        "schema_diffs",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column(
            "from_version", sa.Integer(), nullable=False, comment="What the index held; 0 = none"
        ),
        sa.Column("to_version", sa.Integer(), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("breaking_count", sa.Integer(), nullable=False),
        sa.Column(
            "found_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f("schema_diffs_connection_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "connection_id", "from_version", "to_version", name=op.f("schema_diffs_pkey")
        ),
        schema="twd",
        comment="Differences between a newest snapshot and what the schema index held",
    )
    op.create_table(
        "snapshot_objects",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("object_name", sa.Text(), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=False),
        sa.Column(
            "to_version",
            sa.Integer(),
            nullable=True,
            comment="First version without it; null = still there",
        ),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f("snapshot_objects_connection_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["fingerprint"],
            ["twd.schema_objects.fingerprint"],
            name=op.f("snapshot_objects_fingerprint_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "connection_id",
            "kind",
            "schema_name",
            "object_name",
            "from_version",
            name=op.f("snapshot_objects_pkey"),
        ),
        schema="twd",
        comment="Which content an object had in which versions of a source's schema",
    )
    op.create_index(
        "snapshot_objects_current_idx",
        "snapshot_objects",
        ["connection_id"],
        unique=False,
        schema="twd",
        postgresql_where=sa.text("to_version IS NULL"),
    )
    op.create_table(
        "snapshots",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("database_name", sa.Text(), nullable=False),
        sa.Column("server_version", sa.Text(), nullable=False),
        sa.Column(
            "unknown_facts",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="What the dialect cannot tell",
        ),
        sa.Column("table_count", sa.Integer(), nullable=False),
        sa.Column("column_count", sa.Integer(), nullable=False),
        sa.Column(
            "taken_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "confirmed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f("snapshots_connection_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("connection_id", "version", name=op.f("snapshots_pkey")),
        schema="twd",
        comment="Versions of a source's schema; a version is written only when the schema changed",
    )
    op.create_table(
        "table_documentation",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column(
            "card", sa.Text(), nullable=False, comment="What the table is about, in sentences"
        ),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("table_fingerprint", sa.Text(), nullable=False),
        sa.Column("snapshot_version", sa.Integer(), nullable=False),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f("table_documentation_connection_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "connection_id", "schema_name", "table_name", name=op.f("table_documentation_pkey")
        ),
        schema="twd",
        comment="Documentation of the tables of the newest snapshot",
    )
    op.create_table(
        "training_items",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="ddl, documentation or question_sql"),
        sa.Column("source", sa.Text(), nullable=False, comment="Who wrote it: user"),
        sa.Column("question", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column(
            "tables",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="schema.table names it speaks of",
        ),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="Why rejected"),
        sa.Column("snapshot_version", sa.Integer(), nullable=False),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind in ('ddl', 'documentation', 'question_sql')",
            name=op.f("training_items_kind_check"),
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f("training_items_connection_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("connection_id", "item_id", name=op.f("training_items_pkey")),
        schema="twd",
        comment="Training set of each source: what users taught, checked against its schema",
    )
    op.create_table(
        "training_readings",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("marker", sa.Text(), nullable=False, comment="Changes when a user's rows change"),
        sa.Column(
            "published_marker",
            sa.Text(),
            nullable=True,
            comment="What of it the knowledge base holds",
        ),
        sa.Column("item_count", sa.Integer(), nullable=False),
        sa.Column(
            "read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f("training_readings_connection_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("training_readings_pkey")),
        schema="twd",
        comment="What of the application's training data the training set of each source holds",
    )
    op.execute(_CURRENT_TABLES)
    op.execute(_CURRENT_COLUMNS)


def downgrade() -> None:
    op.execute("drop view twd.current_columns")
    op.execute("drop view twd.current_tables")
    op.drop_table("training_readings", schema="twd")
    op.drop_table("training_items", schema="twd")
    op.drop_table("table_documentation", schema="twd")
    op.drop_table("snapshots", schema="twd")
    op.drop_index(
        "snapshot_objects_current_idx",
        table_name="snapshot_objects",
        schema="twd",
        postgresql_where=sa.text("to_version IS NULL"),
    )
    op.drop_table("snapshot_objects", schema="twd")
    op.drop_table("schema_diffs", schema="twd")
    op.drop_table("model_versions", schema="twd")
    op.drop_table("model_evaluations", schema="twd")
    op.drop_table("index_states", schema="twd")
    op.drop_table("schema_objects", schema="twd")
    op.drop_table("daily_sql_accuracy", schema="twd")
    op.drop_table("daily_query_stats", schema="twd")
    op.drop_table("connections", schema="twd")
    op.drop_table("alerts", schema="twd")
