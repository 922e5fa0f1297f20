"""What a sync remembers: answers of the sources, renames, breaking changes"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _connection(table: str) -> tuple[sa.Column[str], sa.ForeignKeyConstraint]:
    return (
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f(f"{table}_connection_id_fkey"),
        ),
    )


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def upgrade() -> None:
    op.create_table(
        "source_checks",
        *_connection("source_checks"),
        sa.Column(
            "signal",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Cheap signal; '' = none",
        ),
        sa.Column(
            "fingerprint",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Of the schema as it was read after the source gave this signal; "
            "'' = not known",
        ),
        sa.Column("freshness", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        _moment("since"),
        _moment("asked_at"),
        sa.CheckConstraint(
            "freshness in ('fresh', 'drifted', 'unreadable', 'given_up')",
            name=op.f("source_checks_freshness_check"),
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("source_checks_pkey")),
        schema="twd",
        comment="What each source said when it was last asked whether its schema has changed",
    )
    op.create_table(
        "table_identities",
        *_connection("table_identities"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "origin", sa.Text(), nullable=False, comment="Server and database that gave the ids"
        ),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The server's own ids of tables and columns",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("table_identities_pkey")),
        schema="twd",
        comment="By which ids each source's server knows the objects of its newest snapshot",
    )
    op.create_table(
        "renames",
        *_connection("renames"),
        sa.Column("version", sa.Integer(), nullable=False, comment="The first with the new name"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("object_name", sa.Text(), nullable=False),
        sa.Column(
            "member",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Column or label; '' = the object itself",
        ),
        sa.Column("old_schema", sa.Text(), nullable=False),
        sa.Column("old_object", sa.Text(), nullable=False),
        sa.Column("old_member", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "kind in ('table', 'column', 'enum', 'enum_label')", name=op.f("renames_kind_check")
        ),
        sa.PrimaryKeyConstraint(
            "connection_id",
            "version",
            "kind",
            "schema_name",
            "object_name",
            "member",
            name=op.f("renames_pkey"),
        ),
        schema="twd",
        comment="Renames that a source's server proves, by the version that brought them",
    )
    op.create_table(
        "breaking_changes",
        *_connection("breaking_changes"),
        sa.Column("alert_key", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("to_version", sa.Integer(), nullable=False, comment="The first with the change"),
        sa.Column("change", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _moment("found_at"),
        sa.Column(
            "recovered_version",
            sa.Integer(),
            nullable=True,
            comment="The first in which it is undone",
        ),
        sa.Column("recovered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("connection_id", "alert_key", name=op.f("breaking_changes_pkey")),
        schema="twd",
        comment="Breaking changes that were told, and whether their cause is gone",
    )


def downgrade() -> None:
    for table in ("breaking_changes", "renames", "table_identities", "source_checks"):
        op.drop_table(table, schema="twd")
