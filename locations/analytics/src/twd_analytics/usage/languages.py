"""Which language a question is in: by its script, its letters, or its commonest small words. Pure.

For statistics over many questions, not for a decision about one: two or three words can belong to
several languages, and then none is told. Worked out for a whole column at once.
"""

from __future__ import annotations

import polars as pl

NOT_TOLD = ""

# In this order: Japanese is written with Chinese characters too.
_SCRIPTS = (
    ("ja", r"[\p{Hiragana}\p{Katakana}]"),
    ("ko", r"\p{Hangul}"),
    ("zh", r"\p{Han}"),
    ("th", r"\p{Thai}"),
    ("ar", r"\p{Arabic}"),
    ("he", r"\p{Hebrew}"),
    ("hi", r"\p{Devanagari}"),
    ("el", r"\p{Greek}"),
    ("ru", r"\p{Cyrillic}"),
    # Letters that no other language of the Latin script has together.
    ("vi", r"[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]"),
)
# Function words that questions are made of; those of two of these languages are left out.
_WORDS = {
    "en": "the of how many what which who is are and for with by from show list all our to does"
    " did there in me per each between most have has was were",
    "vi": "bao nhieu cac cua la nhung nao cho co trong theo moi danh sach khach hang tong nhat"
    " duoc hay toi",
    "fr": "le les des du une est sont combien quel quelle quels quelles nous notre avec par pour"
    " dans et au aux ont qui",
    "es": "el los las del cuántos cuántas cuál cuáles qué quién por para con una son y muestra"
    " nuestros cada",
    "de": "der die das und wie viele welche welcher welches ist sind für mit von zu zeige alle"
    " unsere je pro haben hat nach",
    "pt": "os uma quantos quantas qual quais são dos das nos com por para em não e mostre",
}


def with_language(questions: pl.DataFrame) -> pl.DataFrame:
    """The rows with `language`, the ISO 639-1 code of each normalised `question`, or `NOT_TOLD`."""
    numbered = questions.with_row_index("row")
    by_script = _by_script(numbered)
    by_words = _by_words(numbered.join(by_script, on="row", how="anti"))
    told = pl.concat([by_script, by_words])
    return (
        numbered.join(told, on="row", how="left", maintain_order="left")
        .with_columns(pl.col("language").fill_null(NOT_TOLD))
        .drop("row")
    )


def _by_script(numbered: pl.DataFrame) -> pl.DataFrame:
    """The language of a script, or of letters, by row; only rows that have one."""
    text = pl.col("question")
    script = pl.when(pl.lit(value=False)).then(pl.lit(NOT_TOLD))
    for code, letters in _SCRIPTS:
        script = script.when(text.str.contains(letters)).then(pl.lit(code))
    # None of them is written in ASCII alone.
    return (
        numbered.filter(text.str.len_bytes() > text.str.len_chars())
        .select("row", language=script.otherwise(None))
        .drop_nulls()
    )


def _by_words(numbered: pl.DataFrame) -> pl.DataFrame:
    """The language of most function words by row; none where two have as many."""
    known = pl.DataFrame(
        [(word, code) for code, words in _WORDS.items() for word in words.split()],
        schema={"word": pl.String, "language": pl.String},
        orient="row",
    )
    return (
        numbered.select(
            "row", word=pl.col("question").str.replace_all(r"[^\p{L}\p{M}]+", " ").str.split(" ")
        )
        .explode("word")
        .join(known, on="word")
        .group_by("row", "language")
        .len("words")
        .filter(pl.col("words") == pl.col("words").max().over("row"))
        .filter(pl.len().over("row") == 1)
        .select("row", "language")
    )
