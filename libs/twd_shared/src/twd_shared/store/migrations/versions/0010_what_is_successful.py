"""What counts as successful is told as it is counted: the database's word decides"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _tell("SQL, a result and no error")


def downgrade() -> None:
    _tell("SQL that parses, a result and no error")


def _tell(comment: str) -> None:
    op.alter_column("daily_query_stats", "successful", comment=comment, schema="twd")
