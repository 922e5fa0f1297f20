"""The tables of schema `twd`, as SQLAlchemy Core. Rows are read and written by repositories.

Names of connections, databases and tables are data here, never identifiers. No connection string
is stored: a step resolves it from the application's catalog by the connection's id.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA_NAME = "twd"

metadata = sa.MetaData(
    schema=SCHEMA_NAME,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    },
)


def connection_id_column(primary_key: bool = True) -> sa.Column[str]:
    """The connection that a row is about."""
    return sa.Column(
        "connection_id",
        sa.Text,
        sa.ForeignKey(f"{SCHEMA_NAME}.connections.connection_id"),
        primary_key=primary_key,
        nullable=False,
    )


def time_column(name: str, nullable: bool = False) -> sa.Column[datetime]:
    """A moment with its time zone; now, unless it may be null."""
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        nullable=nullable,
        server_default=None if nullable else sa.func.now(),
    )


connections = sa.Table(
    "connections",
    metadata,
    sa.Column("connection_id", sa.Text, primary_key=True, comment="Id in the application"),
    sa.Column("partition_key", sa.Text, nullable=False, unique=True, comment="Frozen, readable"),
    sa.Column("database_name", sa.Text, nullable=False),
    sa.Column("db_type", sa.Text, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("status", sa.Text, nullable=False, server_default="unknown"),
    sa.Column("status_reason", sa.Text, nullable=False, server_default=""),
    time_column("status_at"),
    time_column("first_seen_at"),
    time_column("last_seen_at"),
    comment="Source databases that the application has connected; one is one partition",
)

snapshots = sa.Table(
    "snapshots",
    metadata,
    connection_id_column(),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("dialect", sa.Text, nullable=False),
    sa.Column("database_name", sa.Text, nullable=False),
    sa.Column("server_version", sa.Text, nullable=False),
    sa.Column("unknown_facts", JSONB, nullable=False, comment="What the dialect cannot tell"),
    sa.Column("table_count", sa.Integer, nullable=False),
    sa.Column("column_count", sa.Integer, nullable=False),
    time_column("taken_at"),
    time_column("confirmed_at"),
    sa.Column(
        "ended_at",
        sa.DateTime(timezone=True),
        comment="When the next version was taken; null = newest",
    ),
    sa.Column(
        "unconfirmed",
        JSONB,
        nullable=False,
        server_default="[]",
        comment="[kind, schema, name] of objects that the last reading could not tell of",
    ),
    comment="Versions of a source's schema; a version is written only when the schema changed",
)

schema_objects = sa.Table(
    "schema_objects",
    metadata,
    sa.Column("fingerprint", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", JSONB, nullable=False),
    comment="Content of schema objects, stored once per content",
)

snapshot_objects = sa.Table(
    "snapshot_objects",
    metadata,
    connection_id_column(),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("schema_name", sa.Text, primary_key=True),
    sa.Column("object_name", sa.Text, primary_key=True),
    sa.Column("from_version", sa.Integer, primary_key=True),
    sa.Column("to_version", sa.Integer, comment="First version without it; null = still there"),
    sa.Column(
        "fingerprint",
        sa.Text,
        sa.ForeignKey(f"{SCHEMA_NAME}.schema_objects.fingerprint"),
        nullable=False,
    ),
    comment="Which content an object had in which versions of a source's schema",
)
# What started and what ended between two versions is found without reading the rest.
sa.Index(
    "snapshot_objects_from_idx",
    snapshot_objects.c.connection_id,
    snapshot_objects.c.from_version,
)
sa.Index(
    "snapshot_objects_to_idx",
    snapshot_objects.c.connection_id,
    snapshot_objects.c.to_version,
)
# Whether a content is still used is asked of each that is deleted.
sa.Index("snapshot_objects_fingerprint_idx", snapshot_objects.c.fingerprint)

table_statistics = sa.Table(
    "table_statistics",
    metadata,
    connection_id_column(),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("body", JSONB, nullable=False, comment="One document a table"),
    time_column("read_at"),
    comment="Row estimates, sizes and categories of each source's tables, as last read",
)

table_documentation = sa.Table(
    "table_documentation",
    metadata,
    connection_id_column(),
    sa.Column("schema_name", sa.Text, primary_key=True),
    sa.Column("table_name", sa.Text, primary_key=True),
    sa.Column("card", sa.Text, nullable=False, comment="What the table is about, in sentences"),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("table_fingerprint", sa.Text, nullable=False),
    sa.Column("snapshot_version", sa.Integer, nullable=False),
    time_column("written_at"),
    sa.Column(
        "descriptions",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="Of people or a model, as the card tells them: column -> text; '' = the table",
    ),
    sa.Column(
        "categories",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="Column -> its few values, where the connection allows samples",
    ),
    comment="Documentation of the tables of the newest snapshot",
)

descriptions = sa.Table(
    "descriptions",
    metadata,
    connection_id_column(),
    sa.Column("schema_name", sa.Text, primary_key=True),
    sa.Column("table_name", sa.Text, primary_key=True),
    sa.Column("column_name", sa.Text, primary_key=True, comment="'' = the table itself"),
    sa.Column("source", sa.Text, primary_key=True, comment="human or model; human wins"),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column(
        "content_hash",
        sa.Text,
        nullable=False,
        server_default="",
        comment="Of the model and what it was shown; '' = a person wrote it",
    ),
    time_column("written_at"),
    sa.CheckConstraint("source in ('human', 'model')", name="source"),
    comment="Descriptions of tables and columns that people or a language model wrote",
)

schema_diffs = sa.Table(
    "schema_diffs",
    metadata,
    connection_id_column(),
    sa.Column(
        "from_version", sa.Integer, primary_key=True, comment="What the index held; 0 = none"
    ),
    sa.Column("to_version", sa.Integer, primary_key=True),
    sa.Column("changes", JSONB, nullable=False),
    sa.Column("breaking_count", sa.Integer, nullable=False),
    time_column("found_at"),
    comment="Differences between a newest snapshot and what the schema index held",
)

index_states = sa.Table(
    "index_states",
    metadata,
    connection_id_column(),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("model_digest", sa.Text, nullable=False),
    sa.Column("dimension", sa.Integer, nullable=False),
    sa.Column("snapshot_version", sa.Integer, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("point_count", sa.Integer, nullable=False),
    time_column("published_at"),
    sa.Column(
        "is_complete",
        sa.Boolean,
        nullable=False,
        server_default=sa.true(),
        comment="False from the first change of a publication to its end",
    ),
    sa.Column(
        "source_hash",
        sa.Text,
        nullable=False,
        server_default="",
        comment="Of all that its points were made of; '' = not known",
    ),
    sa.Column(
        "presence_hash",
        sa.Text,
        nullable=False,
        server_default="",
        comment="Of how many points have which content mark; '' = not known",
    ),
    sa.Column(
        "database_name",
        sa.Text,
        nullable=False,
        server_default="",
        comment="As its points tell it; '' = not known",
    ),
    comment="What the collection that is served holds of each source",
)

training_items = sa.Table(
    "training_items",
    metadata,
    connection_id_column(),
    sa.Column("item_id", sa.Uuid, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False, comment="ddl, documentation or question_sql"),
    sa.Column("source", sa.Text, nullable=False, comment="Who wrote it: user or messages"),
    sa.Column("question", sa.Text),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("tables", JSONB, nullable=False, comment="schema.table names it speaks of"),
    sa.Column("accepted", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default="", comment="Why rejected"),
    sa.Column("snapshot_version", sa.Integer, nullable=False),
    time_column("first_seen_at"),
    time_column("updated_at"),
    sa.Column(
        "names",
        JSONB,
        nullable=False,
        server_default="[]",
        comment="schema.table and schema.table.column names that it needs",
    ),
    sa.Column(
        "accepted_version",
        sa.Integer,
        comment="The newest snapshot that it fitted as it stands; null = none yet",
    ),
    sa.Column(
        "quarantined_since",
        sa.Integer,
        comment="The first snapshot that it fits no more; null = it is not in quarantine",
    ),
    sa.Column(
        "proposal",
        sa.Text,
        nullable=False,
        server_default="",
        comment="The same in the new names, where renames explain why it broke; '' = none",
    ),
    sa.CheckConstraint("kind in ('ddl', 'documentation', 'question_sql')", name="kind"),
    comment="Training set of each source: what users taught, checked against its schema",
)

training_readings = sa.Table(
    "training_readings",
    metadata,
    connection_id_column(),
    sa.Column("marker", sa.Text, nullable=False, comment="Changes when a user's rows change"),
    sa.Column("published_marker", sa.Text, comment="What of it the knowledge base holds"),
    sa.Column("item_count", sa.Integer, nullable=False),
    time_column("read_at"),
    comment="What of the application's training data the training set of each source holds",
)

model_versions = sa.Table(
    "model_versions",
    metadata,
    connection_id_column(),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("snapshot_version", sa.Integer, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("model_digest", sa.Text, nullable=False),
    sa.Column("dimension", sa.Integer, nullable=False),
    sa.Column("ddl_count", sa.Integer, nullable=False),
    sa.Column("documentation_count", sa.Integer, nullable=False),
    sa.Column("question_sql_count", sa.Integer, nullable=False),
    sa.Column(
        "collections",
        JSONB,
        nullable=False,
        comment="Alias -> physical collection; empty = dropped",
    ),
    sa.Column("is_live", sa.Boolean, nullable=False),
    time_column("published_at"),
    sa.Column(
        "held_reason",
        sa.Text,
        nullable=False,
        server_default="",
        comment="Why it is not served; '' = it is, or was",
    ),
    sa.Column(
        "comparison",
        JSONB,
        comment="Its scores and those of the version that was served when it was made",
    ),
    comment="Versions of each source's knowledge base",
)

model_servings = sa.Table(
    "model_servings",
    metadata,
    sa.Column("serving_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    connection_id_column(primary_key=False),
    sa.Column("version", sa.Integer, nullable=False, comment="0 = none any more"),
    time_column("served_from"),
    sa.Index("model_servings_idx", "connection_id", "served_from"),
    comment="Which version of each source's knowledge base was served from when on",
)

model_evaluations = sa.Table(
    "model_evaluations",
    metadata,
    connection_id_column(),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("question_set_hash", sa.Text, primary_key=True),
    sa.Column("question_count", sa.Integer, nullable=False),
    sa.Column("scores", JSONB, nullable=False, comment="recall@k, complete recall@k, MRR"),
    time_column("evaluated_at"),
    comment="Retrieval scores of knowledge-base versions",
)

generated_sql = sa.Table(
    "generated_sql",
    metadata,
    connection_id_column(),
    sa.Column("version", sa.Integer, primary_key=True, comment="Of the knowledge base"),
    sa.Column("item_id", sa.Uuid, primary_key=True, comment="The pair whose question was asked"),
    sa.Column("model", sa.Text, primary_key=True, comment="The language model"),
    sa.Column("model_digest", sa.Text, primary_key=True),
    sa.Column(
        "asked_hash",
        sa.Text,
        nullable=False,
        comment="Of the pair, the version's content and the way of asking",
    ),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, comment="Why not matched; no row of the source"),
    sa.Column("sql", sa.Text, nullable=False, comment="What the model wrote; '' = nothing"),
    time_column("asked_at"),
    sa.CheckConstraint(
        "outcome in ('matched', 'different', 'failed', 'refused', 'no_sql', 'not_comparable')",
        name="outcome",
    ),
    comment="SQL of a language model for users' questions, and how its rows compare",
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("alert_key", sa.Text, primary_key=True, comment="The same event has the same key"),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("link", sa.Text, nullable=False, server_default=""),
    time_column("raised_at"),
    time_column("delivered_at", nullable=True),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_error", sa.Text, nullable=False, server_default=""),
    time_column("refused_at", nullable=True),
    sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), comment="Order of delivery"),
    sa.Column("database_name", sa.Text, nullable=False, server_default=""),
    sa.Column(
        "subject",
        sa.Text,
        nullable=False,
        server_default="",
        comment="What has failed, until it works again; '' = nothing that can work again",
    ),
    time_column("recovered_at", nullable=True),
    sa.Column(
        "not_before",
        sa.DateTime(timezone=True),
        comment="When it may be sent again; while it is not put aside, nothing else is sooner",
    ),
    sa.Index(
        "alerts_waiting_idx",
        "sequence",
        postgresql_where=sa.text("delivered_at is null and refused_at is null"),
    ),
    sa.Index(
        "alerts_open_idx",
        "subject",
        postgresql_where=sa.text("recovered_at is null and subject <> ''"),
    ),
    comment="Alerts raised, and whether the webhook has taken them",
)

index_builds = sa.Table(
    "index_builds",
    metadata,
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("model_digest", sa.Text, nullable=False),
    sa.Column("dimension", sa.Integer, nullable=False),
    sa.Column("layout", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False, comment="building, refused, served or dropped"),
    time_column("started_at"),
    time_column("published_at", nullable=True),
    sa.Column(
        "report",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="What got better and worse than in the collection that was served",
    ),
    sa.CheckConstraint("status in ('building', 'refused', 'served', 'dropped')", name="status"),
    comment="Collections of the schema index: by which model, and how they compared",
)
