"""A text of SQL as all texts that are alike are written: their *key*. One key is looked into once.

A key is SQL itself (`twd_shared.sql.canonical`, or `.undecided` where the database's type is not
known), so that what is found of it never depends on which text of many was met first. Most texts
are plain, and are rewritten here as a whole column, without a Python object a text; the others one
by one, which takes longer.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from twd_shared.sql.canonical import LIST, NUMBER, STRING
from twd_shared.sql.parsing import LONGEST_SQL, unfenced
from twd_shared.sql.undecided import canonical_in_any

# In front of the first word: what every dialect takes for a blank or a comment, and nothing more.
_COMMENTS = (
    r"^(?:[ \t\n]+|--[ \t][\x20-\x7E\t\p{L}\p{M}]*\n"
    r"|/\*[\x20-\x7E\n\t\p{L}\p{M}--[*/!+]]*\*/)+"
)
_BEGINNING = r"^(?i:select|with)\b"
# What may hold a single quote that begins or ends no string.
_QUOTING = r"""["`\\$#\r]|--|/\*"""
_STRING = r"'(?:[^']|'')*'"
# In a text whose strings are single quotes: what means more than it seems to, as digits do that a
# word follows at once; and strings that stand where a value is expected.
_ODD = r"""[?\[\]{}@]|[^\x20-\x7E\n\t\p{L}\p{M}]|[\w&]'|'\s+'|\b[0-9]+[\p{L}\p{M}_]"""
_VALUE = (
    r"\b(?:like|ilike|and|or|not|then|else|when|between|in|select|where|having|on|by|all|any|date"
    r"|timestamp|time)\s+'"
)
_NAMING = r"[\w)]\s*'"
_NUMBER = r"\b[0-9]+\b"


def keys_of(texts: pl.DataFrame, db_types: Mapping[str, str]) -> pl.Series:
    """The key of each row's `sql`, in the dialect of its `connection_id`; null = it is too long.

    Of a text with a fenced block that is meant.
    """
    sql = pl.col("sql")
    rows = (
        texts.select(
            sql.cast(pl.String),
            db_type=pl.col("connection_id")
            .cast(pl.String)
            .replace_strict(db_types, default="", return_dtype=pl.String),
        )
        .with_columns(is_cut=sql.str.len_chars() > LONGEST_SQL)
        .with_row_index("place")
    )
    is_fenced = sql.str.contains("```", literal=True)
    fenced = rows.filter(is_fenced)
    rows = pl.concat(
        [
            rows.filter(~is_fenced),
            fenced.with_columns(sql=pl.Series(map(unfenced, fenced["sql"]), dtype=pl.String)),
        ]
    )
    text, blanked = pl.col("text"), pl.col("blanked")
    is_plain = (
        # SQLite takes a string for a name in more places.
        (pl.col("db_type") != "sqlite")
        & text.str.contains(_BEGINNING)
        & ~text.str.contains(_QUOTING)
        & (text.str.count_matches("'", literal=True) % 2 == 0)
        & ~pl.col("is_cut")
    )
    is_named = blanked.str.to_lowercase().str.replace_all(_VALUE, "= '").str.contains(_NAMING)
    without_values = text.str.replace_all(_STRING, "'").str.replace_all(_NUMBER, NUMBER)
    plain = (
        rows.with_columns(text=sql.str.replace(_COMMENTS, ""))
        .filter(is_plain)
        .select("place", blanked=without_values)
    )
    # Without its values a text is one of a few.
    kinds = plain.select(blanked.unique()).filter(~blanked.str.contains(_ODD) & ~is_named)
    plain = plain.join(kinds.with_columns(key=_folded(blanked)), on="blanked")
    others = rows.join(plain, on="place", how="anti")
    keys = [
        None if is_cut else canonical_in_any(text, db_type)
        for text, db_type, is_cut in others.select("sql", "db_type", "is_cut").iter_rows()
    ]
    return pl.concat(
        [
            plain.select("place", "key"),
            others.select("place").with_columns(key=pl.Series(keys, dtype=pl.String)),
        ]
    ).sort("place")["key"]


def _folded(blanked: pl.Expr) -> pl.Expr:
    """As `canonical` writes a plain text, whose numbers are blank and strings are single quotes."""
    return (
        blanked.str.to_lowercase()
        .str.replace_all(r"\s+", " ")
        .str.strip_chars(" ;")
        .str.replace_all(r"\( ", "(")
        .str.replace_all(r", ?", ", ")
        .str.replace_all(r" ([,)])", "$1")
        .str.strip_chars_end(" ")
        .str.replace_all("'", STRING, literal=True)
        .str.replace_all(LIST, f"in ({NUMBER})")
    )
