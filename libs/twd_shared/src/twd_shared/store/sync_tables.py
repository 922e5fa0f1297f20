"""The tables of schema `twd` that a sync keeps its memory in; the others stand in `tables.py`."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from twd_shared.store.tables import connection_id_column, metadata, time_column

source_checks = sa.Table(
    "source_checks",
    metadata,
    connection_id_column(),
    sa.Column(
        "signal", sa.Text, nullable=False, server_default="", comment="Cheap signal; '' = none"
    ),
    sa.Column(
        "fingerprint",
        sa.Text,
        nullable=False,
        server_default="",
        comment="Of the schema as it was read after the source gave this signal; '' = not known",
    ),
    sa.Column("freshness", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False, server_default=""),
    time_column("since"),
    time_column("asked_at"),
    sa.Column(
        "fresh_at",
        sa.DateTime(timezone=True),
        comment="When it last said that the index holds its schema; null = not known",
    ),
    sa.CheckConstraint(
        "freshness in ('fresh', 'drifted', 'unreadable', 'given_up')", name="freshness"
    ),
    comment="What each source said when it was last asked whether its schema has changed",
)

table_identities = sa.Table(
    "table_identities",
    metadata,
    connection_id_column(),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column(
        "since_version",
        sa.Integer,
        nullable=False,
        comment="From it on, each version was compared by ids with the one before",
    ),
    sa.Column("origin", sa.Text, nullable=False, comment="Server and database that gave the ids"),
    sa.Column("content_hash", sa.Text, nullable=False, comment="Of the ids as they were read"),
    sa.Column(
        "body", JSONB, nullable=False, comment="The server's own ids, and since when each is known"
    ),
    comment="By which ids each source's server knows the objects of its newest snapshot",
)

renames = sa.Table(
    "renames",
    metadata,
    connection_id_column(),
    sa.Column("version", sa.Integer, primary_key=True, comment="The first with the new name"),
    sa.Column(
        "since_version", sa.Integer, nullable=False, comment="The first with what was renamed"
    ),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("schema_name", sa.Text, primary_key=True),
    sa.Column("object_name", sa.Text, primary_key=True),
    sa.Column(
        "member",
        sa.Text,
        primary_key=True,
        server_default="",
        comment="Column or label; '' = the object itself",
    ),
    sa.Column("old_schema", sa.Text, nullable=False, comment="'' = the name means a new object"),
    sa.Column("old_object", sa.Text, nullable=False),
    sa.Column("old_member", sa.Text, nullable=False, server_default=""),
    comment="Renames that a source's server proves, by the version that brought them",
)

index_origins = sa.Table(
    "index_origins",
    metadata,
    connection_id_column(),
    sa.Column("collection", sa.Text, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False, comment="Of the points that were made"),
    sa.Column("body", JSONB, nullable=False, comment="By table: a hash of that, and its points"),
    comment="What the points of each table of a source were made of",
)

breaking_changes = sa.Table(
    "breaking_changes",
    metadata,
    connection_id_column(),
    sa.Column("alert_key", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("to_version", sa.Integer, nullable=False, comment="The first with the change"),
    sa.Column("change", JSONB, nullable=False),
    time_column("found_at"),
    sa.Column(
        "can_recover",
        sa.Boolean,
        nullable=False,
        comment="False = something else has its name by now, so the name tells nothing",
    ),
    sa.Column("recovered_version", sa.Integer, comment="The first in which it is undone"),
    time_column("recovered_at", nullable=True),
    comment="Breaking changes that were told, and whether their cause is gone",
)
