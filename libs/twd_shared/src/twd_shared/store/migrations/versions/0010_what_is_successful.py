"""What counts as successful is told as it is counted, and long questions are found at once"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _tell(
        "SQL, a result and no error",
        "When it may be sent again; while it is not put aside, nothing else is sooner",
    )
    op.execute(
        "create index daily_open_questions_length_idx on twd.daily_open_questions"
        " (char_length(question))"
    )


def downgrade() -> None:
    op.execute("drop index twd.daily_open_questions_length_idx")
    _tell(
        "SQL that parses, a result and no error",
        "When the webhook may be tried again, said of all that waits",
    )


def _tell(successful: str, not_before: str) -> None:
    op.alter_column("daily_query_stats", "successful", comment=successful, schema="twd")
    op.alter_column("alerts", "not_before", comment=not_before, schema="twd")
