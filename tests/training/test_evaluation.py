"""Labelled questions and scores: pure functions with known answers."""

from __future__ import annotations

import uuid

import pytest

from twd_shared.retrieval.questions import (
    LabelledQuestion,
    generated_questions,
    question_set_hash,
)
from twd_shared.retrieval.scoring import scores_of
from twd_training.evaluation.questions import questions_of_users
from twd_training.examples.models import TrainingItem

from .conftest import CUSTOMER, INVOICE, WAREHOUSE, snapshot_of


def asked(*tables: str, origin: str = "user", language: str = "en") -> LabelledQuestion:
    return LabelledQuestion(
        f"{origin} {language} {tables}",
        frozenset(tables),
        origin,  # pyright: ignore[reportArgumentType]
        language,  # pyright: ignore[reportArgumentType]
    )


def test_scores_of_known_rankings() -> None:
    questions = [asked("a", "b"), asked("c"), asked("d", origin="generated", language="vi")]
    rankings = [["a", "a", "x", "b"], ["x", "y", "z", "c"], ["1", "2", "3", "4", "5", "d"]]
    overall, generated, user = scores_of("r", questions, rankings)
    assert (overall.questions, generated.questions, user.questions) == (3, 1, 2)
    assert user.recall_at_1 == pytest.approx((1 / 2 + 0) / 2)
    # A table that stands twice counts once: b is third.
    assert user.recall_at_3 == pytest.approx((1 + 0) / 2)
    assert user.recall_at_5 == pytest.approx(1)
    assert user.complete_at_5 == pytest.approx(1)
    assert user.mrr == pytest.approx((1 + 1 / 4) / 2)
    assert (generated.recall_at_5, generated.mrr) == (0, 0)
    assert overall.recall_at_5 == pytest.approx(2 / 3)


def test_no_questions_give_no_scores() -> None:
    assert scores_of("r", [], []) == []


def test_generated_questions_are_the_same_each_time_and_in_two_languages() -> None:
    snapshot = snapshot_of(CUSTOMER, INVOICE, WAREHOUSE)
    questions = generated_questions(snapshot)
    assert questions == generated_questions(snapshot_of(WAREHOUSE, INVOICE, CUSTOMER))
    assert {question.language for question in questions} == {"en", "vi"}
    joined = {q.text for q in questions if len(q.tables) == 2}
    assert joined == {
        "Show each invoice together with its customer.",
        "Cho biết invoice theo từng customer.",
    }
    assert len(generated_questions(snapshot, most=3)) == 3
    assert question_set_hash(questions) != question_set_hash(questions[1:])
    assert question_set_hash(questions) == question_set_hash(questions[::-1])


def test_questions_of_users_know_their_language_and_need_a_table() -> None:
    def pair(question: str, *tables: str) -> TrainingItem:
        return TrainingItem(uuid.uuid4(), "question_sql", question, "select 1", "h", tables, True)

    made = questions_of_users(
        [pair("How many?", "t"), pair("Có bao nhiêu khách hàng?", "t"), pair("What is one?")]
    )
    assert [question.language for question in made] == ["en", "vi"]
