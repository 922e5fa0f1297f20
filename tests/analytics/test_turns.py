"""Which message answers which question, without any database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from twd_analytics.messages.moments import with_version
from twd_analytics.messages.turns import answers_among

START = datetime(2026, 3, 10, tzinfo=UTC)
END = START + timedelta(days=1)
NOON = START + timedelta(hours=12)

_ROLES = st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.integers(0, 1_470)), max_size=30)


def messages(*rows: dict[str, Any]) -> pl.DataFrame:
    blank = {"question": None, "connection_id": None, "created_at": NOON}
    return pl.DataFrame(
        [{"id": number, **blank, **row} for number, row in enumerate(rows)],
        schema={
            "id": pl.Int64,
            "conversation_id": pl.Int64,
            "is_answer": pl.Boolean,
            "question": pl.String,
            "connection_id": pl.String,
            "created_at": pl.Datetime("us", "UTC"),
        },
    )


@given(_ROLES)
def test_whatever_is_said_each_answer_and_each_unanswered_question_of_the_day_is_there_once(
    said: list[tuple[int, bool, int]],
) -> None:
    rows = [
        {
            "conversation_id": talk,
            "is_answer": is_answer,
            "created_at": START + timedelta(minutes=minute),
            "question": None if is_answer else f"{number}?",
        }
        for number, (talk, is_answer, minute) in enumerate(said)
    ]
    expected: list[tuple[int, str | None]] = []
    ordered = sorted(enumerate(rows), key=lambda one: (one[1]["created_at"], one[0]))
    for talk in (1, 2, 3):
        of_talk = [(n, row) for n, row in ordered if row["conversation_id"] == talk]
        question = None
        for place, (number, row) in enumerate(of_talk):
            following = of_talk[place + 1][1] if place + 1 < len(of_talk) else None
            question = question if row["is_answer"] else row["question"]
            is_alone = following is None or not following["is_answer"]
            if row["created_at"] < END and (row["is_answer"] or is_alone):
                expected.append((number, question))
    found = answers_among(messages(*rows), START, END)
    assert sorted(found.select("id", "question").rows()) == sorted(expected)


def test_an_answer_whose_question_is_not_among_them_is_open() -> None:
    found = answers_among(
        messages(
            {"conversation_id": 1, "is_answer": True},
            {"conversation_id": 1, "is_answer": False, "question": "q?"},
            {"conversation_id": 1, "is_answer": True},
        ),
        START,
        END,
    )
    assert found.sort("id").select("id", "question", "is_open").rows() == [
        (0, None, True),
        (2, "q?", False),
    ]


def test_an_answer_has_no_connection_of_another_answer() -> None:
    found = answers_among(
        messages(
            {"conversation_id": 1, "is_answer": True, "connection_id": "5"},
            {"conversation_id": 1, "is_answer": True},
            {"conversation_id": 2, "is_answer": False, "connection_id": "7"},
            {"conversation_id": 2, "is_answer": True},
        ),
        START,
        END,
    )
    assert dict(found.select("id", "connection_id").rows()) == {0: "5", 1: None, 3: "7"}


def test_what_was_valid_at_the_moment_of_an_answer_stands_at_it() -> None:
    answers = pl.DataFrame(
        {
            "connection_id": ["1", "1", "1", "2"],
            "created_at": [NOON - timedelta(hours=2), NOON, NOON + timedelta(hours=2), NOON],
        },
        schema={"connection_id": pl.Categorical, "created_at": pl.Datetime("us", "UTC")},
    )
    changes = [("1", NOON, 4), ("1", NOON - timedelta(hours=1), 3), ("3", START, 9)]
    found = with_version(answers, changes, "version").sort("connection_id", "created_at")
    assert found["version"].to_list() == [0, 4, 4, 0]
    assert with_version(answers, [], "version")["version"].to_list() == [0, 0, 0, 0]
