"""Questions as they are counted: alike in spite of case, blanks and punctuation. Pure."""

from __future__ import annotations

import polars as pl


def normalised(question: pl.Expr) -> pl.Expr:
    """The same as `twd_shared.store.open_questions.normalised_question`, for a column."""
    return (
        question.str.to_lowercase()
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
        .str.strip_chars_end(".?!… ")
    )


def cut(question: str, most: int) -> str:
    """The first `most` characters, as TWD_QUESTION_CHARACTERS allows; '' = texts are not kept."""
    return question if len(question) <= most else question[: max(most - 1, 0)] + "…" * (most > 0)
