"""How questions are compared, cut and told apart by language."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twd_analytics.messages.questions import cut, normalised
from twd_analytics.usage.languages import with_language
from twd_shared.store.open_questions import normalised_question

# Marks that stand alone, parts of a Korean syllable, and letters that stand for others.
_COMPOSING = "\u0301\u0302\u0323\u031b\u3099\u1112\u1161\u11ab\u212b\uf900"
# Letters as people type them; what is lower case of a few others depends on who is asked.
_TYPED = st.text(st.sampled_from("aAbđĐƠơéÉñ 了か\t\n.?!…？！。,;'\"12-" + _COMPOSING), max_size=40)


@given(_TYPED)
def test_a_column_of_questions_is_compared_as_a_single_one(text: str) -> None:
    [column] = pl.select(normalised(pl.lit(text))).to_series().to_list()
    assert column == normalised_question(text)


@pytest.mark.parametrize(
    "typed",
    [
        unicodedata.normalize("NFD", "Có bao nhiêu bộ phim?"),
        "có bao nhiêu bộ phim？",
        "Có  bao nhiêu bộ phim！。",
    ],
)
def test_a_question_is_the_same_however_its_letters_and_its_end_are_written(typed: str) -> None:
    column = pl.select(normalised(pl.lit(pl.Series([typed, None, "xin chào"])))).to_series()
    assert column.to_list() == ["có bao nhiêu bộ phim", None, "xin chào"]
    assert normalised_question(typed) == "có bao nhiêu bộ phim"


@pytest.mark.parametrize(
    ("most", "told"), [(20, "how many films"), (8, "how man…"), (1, "…"), (0, "")]
)
def test_a_question_is_cut_to_what_may_be_kept(most: int, told: str) -> None:
    assert cut("how many films", most) == told


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("how many films are there per rating", "en"),
        ("top customers by revenue", "en"),
        ("có bao nhiêu bộ phim trong danh mục", "vi"),
        ("co bao nhieu bo phim trong danh muc", "vi"),
        ("quels sont les dix films les plus longs", "fr"),
        ("¿cuántas películas hay por categoría", "es"),
        ("wie viele filme gibt es pro kategorie", "de"),
        ("quantos filmes existem por categoria", "pt"),
        ("一番長い映画はどれですか", "ja"),
        ("有多少部电影", "zh"),
        ("영화가 몇 편 있나요", "ko"),
        ("сколько фильмов в каталоге", "ru"),
        ("كم عدد الأفلام", "ar"),
        ("film rating", ""),
        ("12345", ""),
        ("", ""),
    ],
)
def test_a_question_tells_its_language_or_none(question: str, language: str) -> None:
    told = with_language(pl.DataFrame({"question": ["how many films", question]}))
    assert told["language"].to_list() == ["en", language]


def test_languages_of_many_questions_stand_at_their_own() -> None:
    questions = ["how many films", "bao nhiêu phim", "xyz", "how many films"]
    told = with_language(pl.DataFrame({"question": questions, "count": [1, 2, 3, 4]}))
    assert told.rows() == list(zip(questions, [1, 2, 3, 4], ["en", "vi", "", "en"], strict=True))
