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
# Small words that questions are made of, and of which none is common in another of these languages,
# be it Vietnamese without its accents: `la`, `in` or `me` alone would tell the wrong one.
_WORDS = {
    "en": "the of how many what which who whose is are and with by from to show list all our does"
    " did there each between most have were",
    "vi": "bao nhieu cac cua nhung cho trong theo danh sach khach hang tong nhat duoc khong nguoi"
    " có các và nào",
    "fr": "une est sont combien quel quelle quels quelles nous notre avec par pour dans et au aux"
    " ont qui où chaque cette ces leur leurs montre affiche donne",
    "es": "el los las del cuántos cuántas cuál cuáles cuantos cuantas cual cuales qué quién dónde"
    " cuándo una más según fueron tiene tienen muestra nuestros nuestras",
    "de": "der die und wie viele welche welchen welcher welches ist sind für mit von vom zu zum zur"
    " zeige alle unsere eine einen jede jeder jedes haben wird werden wurden gibt nach auf nicht",
    "pt": "os uma é quantos quantas qual quais quem são não têm foram mostre nossos nossas você",
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
