"""Questions that nobody could answer: written by analytics, read by training as suggestions."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from twd_shared.schema_model.fingerprint import digest
from twd_shared.store.analytics_tables import daily_open_questions, measured_days
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.small_talk import SMALL_TALK
from twd_shared.store.tables import training_items

PUNCTUATION_AT_THE_END = ".?!…？！。 "
"""End marks, which are left out when questions are compared."""
LONGEST_QUESTION = 2_000
"""Characters of a question that are read of a message, if it has four times as many bytes."""
SUGGESTED_DAYS = 30
"""How long a question is suggested after it was last asked in vain."""


class Suggestion(NamedTuple):
    """A question to teach: how often it was asked in vain, and when last.

    `question` is normalised and cut as TWD_QUESTION_CHARACTERS says, '' = its text is not kept.
    """

    question: str
    language: str
    asked: int
    last_day: date


def as_read(question: str) -> str:
    """What is read of a message with that question: the beginning, if it is very long."""
    is_long = len(question.encode()) > 4 * LONGEST_QUESTION
    return question[:LONGEST_QUESTION] if is_long else question


def normalised_question(text: str) -> str:
    """As questions are compared: composed, in lower case, with single spaces and no end mark."""
    composed = unicodedata.normalize("NFC", text)
    return " ".join(composed.lower().split()).rstrip(PUNCTUATION_AT_THE_END)


def question_hash(normalised: str) -> str:
    """What a normalised question is known by where its text is cut or not kept."""
    return digest(normalised.encode())


_SMALL_TALK = frozenset(map(question_hash, SMALL_TALK))


def suggestions(database: MetadataDatabase, connection_id: str) -> list[Suggestion]:
    """A connection's open questions that no accepted pair answers, most asked first.

    Greetings and thanks are none, nor is what has no letter.
    """
    open_ = daily_open_questions.c
    asked = (
        sa.select(
            open_.question_hash,
            sa.func.max(open_.question).label("question"),
            sa.func.max(open_.language).label("language"),
            sa.func.sum(open_.unanswered + open_.failed).label("asked"),
            sa.func.max(open_.day).label("last_day"),
        )
        .where(open_.connection_id == connection_id, open_.day >= _since())
        .group_by(open_.question_hash)
        .order_by(sa.desc("asked"), "question_hash")
    )
    items = training_items.c
    taught = sa.select(items.question).where(
        items.connection_id == connection_id,
        items.kind == "question_sql",
        items.accepted,
        items.question.is_not(None),
    )
    with database.read() as transaction:
        known = {
            question_hash(normalised_question(as_read(text)))
            for text in transaction.execute(taught).scalars()
        }
        return [
            Suggestion(row.question, row.language, row.asked, row.last_day)
            for row in transaction.execute(asked)
            if row.question_hash not in known and not _is_small_talk(row)
        ]


def is_measured(database: MetadataDatabase) -> bool:
    """Whether any of the days was measured of whose questions there are suggestions."""
    day = measured_days.c
    found = sa.select(sa.exists().where(day.measure == "accuracy", day.day >= _since()))
    with database.read() as transaction:
        return transaction.execute(found).scalar_one()


def _since() -> date:
    return datetime.now(UTC).date() - timedelta(days=SUGGESTED_DAYS)


def _is_small_talk(row: sa.Row[Any]) -> bool:
    # By its hash too: a text may not be kept.
    has_letters = not row.question or any(map(str.isalpha, row.question))
    return row.question_hash in _SMALL_TALK or not has_letters
