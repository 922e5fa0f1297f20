"""A text of SQL without its literals, comments and layout: texts of one key are one statement.

Worked out for a whole column at once, without a Python object a text: people ask the same with
other names and numbers, and a parser takes a thousand times as long. A key never joins two texts
of which a parser would tell different things; where that is not certain, a text is its own key.
"""

from __future__ import annotations

import polars as pl

# As `twd_shared.sql.parsing.unfenced`, for a column.
_FENCED = r"(?s)```[ \t]*\w*\s*(.*?)\s*(?:```|\z)"
# What may hold a quote by rules of its own (escapes, dollar quotes, MySQL's comments, nested ones),
# and comments that stand between two words in the place of a blank.
_ODD = r"[#\\$]|/\*[^*]*/\*|/\*!|\S(?:--|/\*)|\*/\S"
_COMMENTED = r"--|/\*"
_QUOTED = r'["`]'
# Quoted names and words are kept, strings leave their quote, comments the blank before them.
_WORDS = (
    r'([\p{Alphabetic}_]\w*|"[^"]*"|`[^`]*`)'
    r"|(')[^']*'"
    r"|(\s|\A)(?:--[^\n]*|(?s:/\*.*?\*/))"
)
_STRING = r"'[^']*'"
_NUMBER = r"\b[0-9]+(?:\.[0-9]+)?\b"
# However many literals a list of values has.
_LIST = r"\bin \( ?[?'](?: ?, ?[?'])* ?\)"


def is_anonymous(key: str) -> bool:
    """Whether nothing of a user's can stand in the key: it has no literals, and no quoted names."""
    return not any(mark in key for mark in '"`#\\$/') and "--" not in key


def keys_of(answers: pl.Series) -> pl.Series:
    """The key of each text: of the fenced block in it, if it has one."""
    text = pl.col("sql")
    fenced = pl.when(text.str.contains("```", literal=True)).then(text.str.extract(_FENCED))
    texts = (
        pl.DataFrame({"sql": answers.cast(pl.String)})
        .with_row_index("place")
        .with_columns(sql=pl.coalesce(fenced, text))
        .with_columns(
            is_odd=text.str.contains(_ODD),
            is_quoted=text.str.contains(_QUOTED),
            is_commented=text.str.contains(_COMMENTED),
        )
    )
    careful = text.str.replace_all(_WORDS, "$1$2$3")
    # In a quoted name case, blanks and digits count. What is slow is done for the few that need it.
    is_plain = ~pl.col("is_odd") & ~pl.col("is_quoted")
    ways = (
        (is_plain & ~pl.col("is_commented"), _folded(text.str.replace_all(_STRING, "'"))),
        (is_plain & pl.col("is_commented"), _folded(careful)),
        (~pl.col("is_odd") & pl.col("is_quoted"), careful),
        (pl.col("is_odd"), text),
    )
    parts = [texts.filter(which).select("place", key=key) for which, key in ways]
    return pl.concat(parts).sort("place")["key"]


def _folded(plain: pl.Expr) -> pl.Expr:
    # Not both as one thing: after `interval` a string is right and a number is not.
    return (
        plain.str.replace_all(_NUMBER, "?")
        .str.to_lowercase()
        .str.replace_all(r"\s+", " ")
        .str.strip_chars(" ;")
        .str.replace_all(_LIST, "in (?)")
    )
