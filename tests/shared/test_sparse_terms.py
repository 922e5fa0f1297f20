"""Terms: which words and n-grams a text has, and what they weigh."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
import snowballstemmer

from twd_shared.terms.sparse import (
    document_terms,
    naming_words,
    question_terms,
    significant_words,
)


def shared(document: str, question: str) -> float:
    """How much a question finds of a document of that name, before rarity counts."""
    terms = document_terms(names=[document], columns=[], prose=[])
    asked = question_terms(question)
    weights = dict(zip(terms.indices, terms.values, strict=True))
    return sum(
        weights.get(index, 0.0) * value
        for index, value in zip(asked.indices, asked.values, strict=True)
    )


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns far more often than usual."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_that_ask_at_once_get_the_stems_that_one_alone_gets() -> None:
    beginnings = ("order", "generaliz", "adapt", "sensib", "operat", "rational", "conform", "valen")
    endings = ("ations", "ional", "iveness", "ably", "edly", "fulness", "izers", "ities", "ically")
    words = [f"{one}{two}{end}" for one, two in product(beginnings, repeat=2) for end in endings]
    alone = snowballstemmer.stemmer("english")
    with ThreadPoolExecutor(8) as threads:
        # Each begins elsewhere, so that they stem different words at once.
        turned = [words[start:] + words[:start] for start in range(0, len(words), 72)]
        told = list(threads.map(lambda some: list(significant_words(" ".join(some))), turned))
    assert told == [[alone.stemWord(word) for word in some] for some in turned]


@pytest.mark.parametrize(
    ("text", "stems"),
    [
        ("How many customers are there?", ["custom"]),
        ("filmActors", ["film", "actor"]),
        ("film_category", ["film", "categori"]),
        ("Có bao nhiêu hóa đơn?", ["hoa", "don"]),
        ("", []),
    ],
)
def test_significant_words_are_stems_without_accents_and_stop_words(
    text: str, stems: list[str]
) -> None:
    assert list(significant_words(text)) == stems


def test_a_name_keeps_words_that_a_question_asks_with() -> None:
    assert list(naming_words("price_list")) == ["price", "list"]
    assert list(naming_words("return")) == ["return"]
    assert shared("return", "returns") > 0


def test_a_vietnamese_noun_is_kept_where_only_its_accents_tell_it_from_a_stop_word() -> None:
    assert list(significant_words("hang")) == ["hang"]
    assert list(significant_words("hãy")) == []


def test_a_text_composed_in_another_unicode_form_has_the_same_terms() -> None:
    assert question_terms("hóa đơn") == question_terms("hóa đơn")


def test_plural_and_singular_meet() -> None:
    assert shared("customers", "customer") == pytest.approx(shared("customer", "customers"))


def test_a_part_of_a_glued_name_is_found_by_its_ngrams() -> None:
    assert shared("airportcode", "airport") > 0
    assert shared("airportcode", "airport") < shared("airport_code", "airport")


def test_a_table_name_weighs_more_than_a_column_and_both_more_than_nothing() -> None:
    name = document_terms(names=["invoice"], columns=[], prose=[])
    column = document_terms(names=[], columns=["invoice"], prose=[])
    assert name.indices == column.indices
    assert all(a > b > 0 for a, b in zip(name.values, column.values, strict=True))


def test_a_name_of_one_word_is_more_about_it_than_a_name_of_two() -> None:
    assert shared("invoice", "invoices") > shared("invoice_line", "invoices")


def test_a_word_repeated_a_hundred_times_does_not_weigh_a_hundred_times() -> None:
    once = document_terms(names=[], columns=["invoice"], prose=[])
    often = document_terms(names=[], columns=["invoice"] * 100, prose=[])
    assert max(often.values) < 3 * max(once.values)


def test_indices_are_ascending_unsigned_and_unique() -> None:
    terms = document_terms(names=["a b c"], columns=["d", "e"], prose=["số lượng"])
    assert list(terms.indices) == sorted(set(terms.indices))
    assert all(0 <= index < 2**32 for index in terms.indices)


def test_half_a_surrogate_pair_in_a_question_is_a_word_like_any_other() -> None:
    assert question_terms("a\ud800b customers").indices


def test_a_word_of_kilobytes_gives_no_more_terms_than_a_long_one() -> None:
    assert len(question_terms("x1" * 50_000).indices) < 200
