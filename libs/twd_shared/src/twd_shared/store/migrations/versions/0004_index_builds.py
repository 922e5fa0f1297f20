"""Collections of the schema index, and whether a source's share of it is complete"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "index_states",
        sa.Column(
            "is_complete",
            sa.Boolean(),
            server_default=sa.true(),
            nullable=False,
            comment="False from the first change of a publication to its end",
        ),
        schema="twd",
    )
    op.add_column(
        "index_states",
        sa.Column(
            "source_hash",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Of all that its points were made of; '' = not known",
        ),
        schema="twd",
    )
    op.add_column(
        "index_states",
        sa.Column(
            "presence_hash",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Of how many points have which content mark; '' = not known",
        ),
        schema="twd",
    )
    op.create_table_comment(
        "index_states",
        "What the collection that is served holds of each source",
        existing_comment="What the schema index holds of each source",
        schema="twd",
    )
    op.create_table(
        "index_builds",
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("model_digest", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("layout", sa.Text(), nullable=False),
        sa.Column(
            "status", sa.Text(), nullable=False, comment="building, refused, served or dropped"
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "report",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="What got better and worse than in the collection that was served",
        ),
        sa.CheckConstraint(
            "status in ('building', 'refused', 'served', 'dropped')",
            name=op.f("index_builds_status_check"),
        ),
        sa.PrimaryKeyConstraint("collection", name=op.f("index_builds_pkey")),
        schema="twd",
        comment="Collections of the schema index: by which model, and how they compared",
    )


def downgrade() -> None:
    op.drop_table("index_builds", schema="twd")
    op.create_table_comment(
        "index_states",
        "What the schema index holds of each source",
        existing_comment="What the collection that is served holds of each source",
        schema="twd",
    )
    op.drop_column("index_states", "presence_hash", schema="twd")
    op.drop_column("index_states", "source_hash", schema="twd")
    op.drop_column("index_states", "is_complete", schema="twd")
