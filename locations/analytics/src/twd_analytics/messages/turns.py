"""From messages to answers: which message answers which question, and which got none. Pure.

A conversation is a row of turns: a turn begins with a user's message and holds the answers to it.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl


def answers_among(messages: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    """One row an answer given from `start` until `end`, and one a question asked then without.

    `messages` are all of that time, and those after it that may answer its questions. What is told
    of the question (`question`, `connection_id`) stands at the answer, and `is_open` at an answer
    whose question is not among them.
    """
    order = _order_of(messages)
    ordered = messages.select(
        pl.col("conversation_id", "is_answer", "created_at").gather(order)
    ).with_columns(place=order)
    same_talk = pl.col("conversation_id") == pl.col("conversation_id").shift(1)
    is_first = ~pl.col("is_answer") | ~same_talk.fill_null(value=False)
    in_day = (pl.col("created_at") >= start) & (pl.col("created_at") < end)
    kept = (
        ordered.with_columns(
            first=pl.when(is_first).then(pl.col("place")).forward_fill(),
            is_last=is_first.shift(-1).fill_null(value=True),
        )
        .filter(in_day & (pl.col("is_answer") | pl.col("is_last")))
        .select("place", "first")
    )
    answers = messages.select(pl.all().gather(kept["place"]))
    asked = messages.select(
        pl.col("question").gather(kept["first"]),
        asked_of=pl.col("connection_id").gather(kept["first"]),
        is_open=pl.col("is_answer").gather(kept["first"]),
    )
    return (
        answers.drop("question")
        .hstack(asked)
        # Some applications note the connection at the question only.
        .with_columns(
            connection_id=pl.coalesce("connection_id", pl.when(~pl.col("is_open")).then("asked_of"))
        )
        .drop("asked_of")
    )


def with_earlier_questions(answers: pl.DataFrame, earlier: pl.DataFrame) -> pl.DataFrame:
    """Add to open answers the question that was asked before their day.

    `earlier` has conversation_id, and question and connection_id of the last one.
    """
    found = earlier.rename({"question": "asked", "connection_id": "asked_of"})
    return (
        answers.join(found, on="conversation_id", how="left")
        .with_columns(
            question=pl.when("is_open").then("asked").otherwise("question"),
            connection_id=pl.coalesce(pl.col("connection_id"), pl.when("is_open").then("asked_of")),
        )
        .drop("asked", "asked_of")
    )


def _order_of(messages: pl.DataFrame) -> pl.Series:
    """Row numbers by conversation, moment and order of writing."""
    keys = ["conversation_id", "created_at", "id"]
    if not messages.schema["id"].is_integer():
        # Ids that do not count up: of one moment, a question comes before its answer.
        keys.insert(2, "is_answer")
    return messages.select(keys).with_row_index("place").sort(keys)["place"]
