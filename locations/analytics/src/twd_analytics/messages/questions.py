"""Questions as they are counted: alike in spite of case, blanks and punctuation. Pure."""

from __future__ import annotations

import unicodedata

import polars as pl

from twd_shared.store.open_questions import PUNCTUATION_AT_THE_END

# All but letters and signs that are composed already, alone and behind any other: Latin ones with
# those of Vietnamese, Cyrillic, Chinese, Japanese and Korean ones. To compose all takes longer.
_MAY_BE_PARTS = (
    r"[^\x{0}-\x{2FF}\x{400}-\x{482}\x{1E00}-\x{1EFF}\x{2010}-\x{2027}\x{3000}-\x{3029}"
    r"\x{3041}-\x{3096}\x{30A1}-\x{9FFF}\x{AC00}-\x{D7A3}\x{FF00}-\x{FFEF}]"
)


def normalised(question: pl.Expr) -> pl.Expr:
    """The same as `twd_shared.store.open_questions.normalised_question`, for a column."""
    return (
        question.map_batches(_composed, return_dtype=pl.String)
        .str.to_lowercase()
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
        .str.strip_chars_end(PUNCTUATION_AT_THE_END)
    )


def _composed(questions: pl.Series) -> pl.Series:
    places = questions.str.contains(_MAY_BE_PARTS).arg_true()
    if places.is_empty():
        return questions
    parts = questions.gather(places)
    return questions.scatter(places, [unicodedata.normalize("NFC", text) for text in parts])


def cut(question: str, most: int) -> str:
    """The first `most` characters, as TWD_QUESTION_CHARACTERS allows; '' = texts are not kept."""
    return question if len(question) <= most else question[: max(most - 1, 0)] + "…" * (most > 0)
