"""Labelled questions, scores and their plot: pure functions with known answers."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from unittest.mock import Mock

import pytest

from twd_shared.retrieval.questions import (
    LabelledQuestion,
    generated_questions,
    question_set_hash,
)
from twd_shared.retrieval.scoring import scores_of
from twd_training.evaluation import retrievers
from twd_training.evaluation.history_plot import MOST_VERSIONS, recall_svg
from twd_training.evaluation.questions import MOST_OF_USERS, questions_of_users
from twd_training.evaluation.store import Evaluated
from twd_training.examples.models import TrainingItem
from twd_training.knowledge_base.collections import Found

from .conftest import CUSTOMER, INVOICE, WAREHOUSE, snapshot_of
from .trained_shop import in_schema


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


def test_of_several_answers_the_one_that_is_found_best_counts_and_parts_of_two_are_none() -> None:
    either = replace(asked("1.a", "1.b"), others=frozenset({frozenset({"2.a", "2.b"})}))
    rankings = [["2.a", "2.b", "1.a"], ["x", "1.a", "2.b"], ["x", "y"]]
    together, mixed, missed = (scores_of("r", [either], [one])[0] for one in rankings)
    assert (together.recall_at_1, together.recall_at_5, together.complete_at_5) == (0.5, 1, 1)
    assert (mixed.recall_at_5, mixed.complete_at_5, mixed.mrr) == (0.5, 0, 0.5)
    assert (missed.recall_at_5, missed.mrr) == (0, 0)


def test_each_long_pair_is_read_once_and_not_once_a_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []

    def counted(text: str) -> str:
        read.append(text)
        return text

    monkeypatch.setattr(retrievers, "_plain", counted)
    questions = [replace(asked("a"), text=f"q{n}", sql=f"select {n}") for n in range(20)]
    pairs = [Found(f"{n}", ("a",), f"Q{n}?", f"SELECT {n};", "") for n in range(10, 40)]
    collections = Mock(search=lambda _, vectors, *__, **___: [list(pairs) for _ in vectors])
    ollama = Mock()
    ollama.using().embed_batches.return_value = [(0, [[1.0]] * len(questions))]
    base = retrievers.KnowledgeBaseQuestions(questions, collections, ollama)
    (score,) = [one for one in base.scores(1, "m", 1) if one.origin == "user"]
    assert score.questions == len(questions)
    assert len(read) == len(set(read)) == 2 * (len(questions) + len(pairs))


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


def test_a_question_on_tables_of_equal_names_is_answered_by_those_of_any_schema() -> None:
    twins = [in_schema(schema, CUSTOMER, INVOICE) for schema in ("one", "two")]
    questions = generated_questions(snapshot_of(*twins[0], *twins[1]))
    assert questions == generated_questions(snapshot_of(*twins[1], *twins[0]))
    [joined] = [q for q in questions if q.text == "Show each invoice together with its customer."]
    assert joined.answers == {
        frozenset({"one.customer", "one.invoice"}),
        frozenset({"two.customer", "two.invoice"}),
    }
    alone = generated_questions(snapshot_of(*twins[0]))
    assert [question.text for question in alone] == [question.text for question in questions]
    assert all(len(question.answers) == 1 for question in alone)
    assert question_set_hash(alone) != question_set_hash(questions)


def test_questions_of_users_know_their_language_and_need_a_table() -> None:
    def pair(question: str, *tables: str) -> TrainingItem:
        return TrainingItem(uuid.uuid4(), "question_sql", question, "select 1", "h", tables, True)

    made = questions_of_users(
        [pair("How many?", "t"), pair("Có bao nhiêu khách hàng?", "t"), pair("What is one?")]
    )
    assert [question.language for question in made] == ["en", "vi"]


def test_a_fixed_sample_of_many_pairs_is_asked() -> None:
    pairs = [
        TrainingItem(
            uuid.uuid4(), "question_sql", f"Question {n}?", f"select {n}", "h", ("t",), True
        )
        for n in range(MOST_OF_USERS + 50)
    ]
    asked_of = questions_of_users(pairs)
    assert len(asked_of) == MOST_OF_USERS
    assert asked_of == questions_of_users(pairs[::-1])


# --- scores over versions -------------------------------------------------------------------


def scored(version: int, recall: float, questions: str = "a") -> Evaluated:
    return Evaluated(version, questions, 10, recall)


def test_the_plot_shows_each_version_once_by_its_newest_scores() -> None:
    svg = recall_svg([scored(1, 0.5), scored(1, 0.75), scored(2, 1.0)])
    assert re.findall(r"<title>(.+?)</title>", svg) == [
        "version 1: 0.7500 over 10 questions",
        "version 2: 1.0000 over 10 questions",
    ]


def test_the_plot_marks_where_other_questions_were_asked() -> None:
    same = recall_svg([scored(1, 0.5), scored(2, 0.6)])
    other = recall_svg([scored(1, 0.5), scored(2, 0.6, "b"), scored(3, 0.6, "b")])
    assert (same.count("other-questions"), other.count("other-questions")) == (0, 1)


def test_the_plot_tells_a_held_version_from_the_others() -> None:
    history = [scored(1, 0.5), scored(2, 0.6)]
    assert recall_svg(history, held=2) != recall_svg(history)


def test_the_plot_of_many_versions_shows_the_newest() -> None:
    svg = recall_svg([scored(number, 0.5) for number in range(1, MOST_VERSIONS + 2)])
    assert svg.count("<circle") == MOST_VERSIONS
    assert "version 1:" not in svg
