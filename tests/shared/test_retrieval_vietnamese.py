"""Vietnamese questions get the English words that schemas use."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest

from twd_shared.retrieval.question import read_question
from twd_shared.retrieval.questions import language_of
from twd_shared.retrieval.vietnamese_words import PHRASES


def added(question: str) -> set[str]:
    """The words that stand behind the question."""
    answer = read_question(question).text
    assert answer.startswith(question)
    return set(answer[len(question) :].split())


def test_a_phrase_is_followed_by_its_english() -> None:
    assert "customer" in added("Có bao nhiêu khách hàng?")


def test_the_longest_phrase_wins() -> None:
    assert "employee" in added("nhân viên bán hàng")
    assert "supplier" in added("nhà cung cấp nào")
    assert "house" not in added("nhà cung cấp nào")


def test_a_phrase_without_accents_is_recognised() -> None:
    assert "customer" in added("co bao nhieu khach hang o Ha Noi")
    assert "customer" in added("khach hang o Hà Nội")


@pytest.mark.parametrize("question", ["Which men do an order", "Show me nam of each"])
def test_english_that_looks_like_a_phrase_is_left_alone(question: str) -> None:
    assert added(question) == set()


def test_one_syllable_without_accents_is_not_taken_for_a_phrase() -> None:
    assert added("thue") == set()
    assert "tax" in added("thuế")


@pytest.mark.parametrize(
    "question", ["Top customers by revenue", "", "film", "SELECT 1", "日本語の質問", "💥 " * 100]
)
def test_a_question_without_vietnamese_stays_as_it_is(question: str) -> None:
    assert read_question(question).text == question


def test_each_english_word_is_added_once() -> None:
    words = read_question("khách hàng và khách hàng").text.split()
    assert words.count("customer") == 1


def test_the_list_is_in_lower_case_and_its_phrases_are_short_enough_to_be_found() -> None:
    assert all(phrase == phrase.lower() for phrase in PHRASES)
    assert max(len(phrase.split()) for phrase in PHRASES) <= 4


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_labelled_question_is_vietnamese_however_its_accents_are_typed(
    form: Literal["NFC", "NFD"],
) -> None:
    assert language_of(unicodedata.normalize(form, "Khách nào mua nhiều?")) == "vi"
    assert language_of(unicodedata.normalize(form, "Khach nao mua nhieu?")) == "en"
