"""Whether the database ran the SQL of an answer: the one definition, by which all tables count."""

from __future__ import annotations

import polars as pl

from twd_analytics.generated_sql.book import SqlBook


def with_executed(kinds: pl.DataFrame, book: SqlBook) -> pl.DataFrame:
    """The rows with their `entry` in the book, null without SQL, and `executed`.

    Rows have what `SqlBook.enter` asks for, `result`, and `gave_result` (`reading.GAVE_RESULT`).
    Rows in a result are the database's word: to it the text was SQL, whatever the parser here says.
    A result without rows may be what an application stores when nothing ran, and is taken for the
    database's only of a text that may be SQL. What a snapshot says of names does not count, as the
    database may be newer.
    """
    entered = book.enter(kinds)
    is_empty = pl.col("result") == "empty"
    of_empty = entered.filter(is_empty)["entry"].drop_nulls().unique()
    no_sql = [entry for entry in of_empty if book.facts[entry].verdict == "syntax"]
    did_not_run = is_empty & pl.col("entry").is_in(no_sql)
    return entered.with_columns(executed=pl.col("gave_result") & ~did_not_run)
