"""Questions that were asked on a day and not once answered: what training could learn next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from twd_analytics.messages.questions import cut, normalised
from twd_analytics.usage.languages import with_language
from twd_shared.store.open_questions import question_hash

_MOST_OF_A_CONNECTION = 1_000


class OpenQuestion(NamedTuple):
    """A question of one connection, as `twd.daily_open_questions` has it, without the day."""

    connection_id: str
    question_hash: str
    question: str
    language: str
    unanswered: int
    failed: int


def open_questions(kinds: pl.DataFrame, characters: int) -> list[OpenQuestion]:
    """The day's open questions of connections that are known, most asked first in each.

    `kinds` are those of `kinds_of_sql`; of a question's text `characters` are told.
    """
    counted = (
        kinds.filter(pl.col("connection_id").cast(pl.String) != "")
        .with_columns(
            question=normalised(pl.col("question").cast(pl.String)),
            answered=pl.when("executed").then("count").otherwise(0),
            unanswered=pl.when(pl.col("entry").is_null()).then("count").otherwise(0),
        )
        .filter(pl.col("question") != "")
        .group_by("connection_id", "question")
        .agg(pl.col("count", "answered", "unanswered").sum())
        .filter(pl.col("answered") == 0)
        .sort("count", "question", descending=[True, False])
        .group_by("connection_id", maintain_order=True)
        .head(_MOST_OF_A_CONNECTION)
        .pipe(with_language)
    )
    found = [
        OpenQuestion(
            row["connection_id"],
            question_hash(row["question"]),
            cut(row["question"], characters),
            row["language"],
            row["unanswered"],
            row["count"] - row["unanswered"],
        )
        for row in counted.iter_rows(named=True)
    ]
    return most_asked_first(found)


def most_asked_first(questions: Iterable[OpenQuestion]) -> list[OpenQuestion]:
    """The questions of each connection in an order that is the same each time."""
    return sorted(
        questions, key=lambda one: (one.connection_id, -one.unanswered - one.failed, one[1])
    )
