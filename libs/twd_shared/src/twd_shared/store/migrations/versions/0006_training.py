"""Training items that a change of the schema broke, and knowledge bases that are held back"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ITEMS = (
    sa.Column(
        "names",
        postgresql.JSONB(astext_type=sa.Text()),
        server_default="[]",
        nullable=False,
        comment="schema.table and schema.table.column names that it needs",
    ),
    sa.Column(
        "accepted_version",
        sa.Integer(),
        nullable=True,
        comment="The newest snapshot that it fitted as it stands; null = none yet",
    ),
    sa.Column(
        "quarantined_since",
        sa.Integer(),
        nullable=True,
        comment="The first snapshot that it fits no more; null = it is not in quarantine",
    ),
    sa.Column(
        "proposal",
        sa.Text(),
        server_default="",
        nullable=False,
        comment="The same in the new names, where renames explain why it broke; '' = none",
    ),
)
_VERSIONS = (
    sa.Column(
        "held_reason",
        sa.Text(),
        server_default="",
        nullable=False,
        comment="Why it is not served; '' = it is, or was",
    ),
    sa.Column(
        "comparison",
        postgresql.JSONB(astext_type=sa.Text()),
        nullable=True,
        comment="Its scores and those of the version that was served when it was made",
    ),
)


def upgrade() -> None:
    for column in _ITEMS:
        op.add_column("training_items", column, schema="twd")
    op.execute("update twd.training_items set accepted_version = snapshot_version where accepted")
    for column in _VERSIONS:
        op.add_column("model_versions", column, schema="twd")
    op.alter_column(
        "training_items", "source", comment="Who wrote it: user or messages", schema="twd"
    )


def downgrade() -> None:
    op.alter_column("training_items", "source", comment="Who wrote it: user", schema="twd")
    for table, columns in (("model_versions", _VERSIONS), ("training_items", _ITEMS)):
        for column in columns:
            op.drop_column(table, column.name, schema="twd")
