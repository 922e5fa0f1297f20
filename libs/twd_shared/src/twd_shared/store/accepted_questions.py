"""Users' questions with right SQL, from `twd.training_items`: read by all, written by training."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import training_items


class AcceptedQuestion(NamedTuple):
    """A question, its SQL, and the labels (`schema.table`) of the tables that the SQL reads."""

    question: str
    sql: str
    tables: tuple[str, ...]


def accepted_questions(
    database: MetadataDatabase, connection_id: str, most: int
) -> list[AcceptedQuestion]:
    """The accepted question/SQL pairs of a connection, the newest `most`."""
    query = (
        sa.select(training_items.c.question, training_items.c.content, training_items.c.tables)
        .where(
            training_items.c.connection_id == connection_id,
            training_items.c.kind == "question_sql",
            training_items.c.accepted,
            training_items.c.question.is_not(None),
        )
        .order_by(training_items.c.first_seen_at.desc(), training_items.c.item_id)
        .limit(most)
    )
    with database.begin() as transaction:
        return [
            AcceptedQuestion(row.question, row.content, tuple(row.tables))
            for row in transaction.execute(query)
        ]
