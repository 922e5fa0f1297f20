"""Rows of `twd.model_evaluations`: how each version of a knowledge base was retrieved."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from twd_shared.retrieval.scoring import Score
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.tables import model_evaluations


class Evaluations:
    """The evaluations of all connections."""

    def __init__(self, database: MetadataDatabase) -> None:
        """Write through `database`."""
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
