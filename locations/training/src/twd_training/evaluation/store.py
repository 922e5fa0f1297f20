"""Rows of `twd.model_evaluations`: how well each version of a knowledge base was retrieved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.retrieval.scoring import Score
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import model_evaluations

SCHEMA_INDEX = "schema index"
"""The name of one retriever in reports."""
KNOWLEDGE_BASE = "knowledge base"
"""The name of the other."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Recall@5 of one retriever over all questions of a set, as it was recorded."""

    version: int
    question_set_hash: str
    question_count: int
    recall_at_5: float


class Evaluations:
    """The evaluations of all connections."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Read and write through `database`."""
        self._database = database

    def record(
        self,
        connection_id: str,
        version: int,
        question_set_hash: str,
        question_count: int,
        scores: Sequence[Score],
    ) -> None:
        """Keep the scores of a version on a question set, over earlier ones of both."""
        values = {
            "question_count": question_count,
            "scores": [score.as_row() for score in scores],
        }
        with self._database.begin() as transaction:
            transaction.execute(
                insert(model_evaluations)
                .values(
                    connection_id=connection_id,
                    version=version,
                    question_set_hash=question_set_hash,
                    **values,
                )
                .on_conflict_do_update(
                    index_elements=list(model_evaluations.primary_key),
                    set_={**values, "evaluated_at": sa.func.now()},
                )
            )

    def history(self, connection_id: str, retriever: str) -> list[Evaluated]:
        """What was recorded of a retriever, by version; of several sets, the newest comes last."""
        table = model_evaluations
        query = (
            sa.select(table)
            .where(table.c.connection_id == connection_id)
            .order_by(table.c.version, table.c.evaluated_at)
        )
        with self._database.begin() as transaction:
            rows = transaction.execute(query).all()
        return [
            Evaluated(row.version, row.question_set_hash, row.question_count, recall)
            for row in rows
            if (recall := _overall(row.scores, retriever)) is not None
        ]


def _overall(scores: Sequence[dict[str, Any]], retriever: str) -> float | None:
    of_all = (
        score["recall_at_5"]
        for score in scores
        if (score["retriever"], score["origin"]) == (retriever, "all")
    )
    return next(of_all, None)
