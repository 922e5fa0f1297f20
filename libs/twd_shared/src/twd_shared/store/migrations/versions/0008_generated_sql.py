"""SQL that a language model writes with a version of a knowledge base, run and compared"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "generated_sql",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="Of the knowledge base"),
        sa.Column(
            "item_id", sa.Uuid(), nullable=False, comment="The pair whose question was asked"
        ),
        sa.Column("model", sa.Text(), nullable=False, comment="The language model"),
        sa.Column("model_digest", sa.Text(), nullable=False),
        sa.Column(
            "asked_hash",
            sa.Text(),
            nullable=False,
            comment="Of the pair, the version's content and the way of asking",
        ),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column(
            "reason",
            sa.Text(),
            nullable=False,
            comment="Why not matched; no row of the source",
        ),
        sa.Column("sql", sa.Text(), nullable=False, comment="What the model wrote; '' = nothing"),
        sa.Column(
            "asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint(
            "outcome in ('matched', 'different', 'failed', 'refused', 'no_sql', 'not_comparable')",
            name=op.f("generated_sql_outcome_check"),
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["twd.connections.connection_id"],
            name=op.f("generated_sql_connection_id_fkey"),
        ),
        sa.PrimaryKeyConstraint(
            "connection_id",
            "version",
            "item_id",
            "model",
            "model_digest",
            name=op.f("generated_sql_pkey"),
        ),
        schema="twd",
        comment="SQL of a language model for users' questions, and how its rows compare",
    )


def downgrade() -> None:
    op.drop_table("generated_sql", schema="twd")
