"""Descriptions of tables and columns, and what of them the documentation tells"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, comment in (
        (
            "descriptions",
            "Of people or a model, as the card tells them: column -> text; '' = the table",
        ),
        ("categories", "Column -> its few values, where the connection allows samples"),
    ):
        op.add_column(
            "table_documentation",
            sa.Column(
                name,
                postgresql.JSONB(astext_type=sa.Text()),
                server_default="{}",
                nullable=False,
                comment=comment,
            ),
            schema="twd",
        )
    op.create_table(
        "descriptions",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text(), nullable=False, comment="'' = the table itself"),
        sa.Column("source", sa.Text(), nullable=False, comment="human or model; human wins"),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column(
            "content_hash",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Of the model and what it was shown; '' = a person wrote it",
        ),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("source in ('human', 'model')", name=op.f("descriptions_source_check")),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f("descriptions_connection_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "connection_id",
            "schema_name",
            "table_name",
            "column_name",
            "source",
            name=op.f("descriptions_pkey"),
        ),
        schema="twd",
        comment="Descriptions of tables and columns that people or a language model wrote",
    )


def downgrade() -> None:
    op.drop_table("descriptions", schema="twd")
    op.drop_column("table_documentation", "categories", schema="twd")
    op.drop_column("table_documentation", "descriptions", schema="twd")
