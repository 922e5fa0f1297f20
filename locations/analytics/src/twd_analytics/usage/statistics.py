"""From a day's answers to the day's statistics, per connection and over all.

Every row of a day (an answer, or a question without one) is exactly one of:
*successful*: it has SQL that parses, a result and no error;
*failed*: it has SQL and is not successful;
*unanswered*: it has no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from twd_analytics.generated_sql.parsing import facts_of

ALL = "*"
"""The connection id under which a day's numbers over all connections stand."""
LONGEST_STORED_QUESTION = 200
_MOST = 10


@dataclass(frozen=True, slots=True)
class ConnectionUsage:
    """One connection's day. Times in milliseconds, None where the application does not tell.

    `top_tables` counts successful answers: [{connection_id, table, count}];
    `most_common_queries`: [{question, count, sql_shape}], the question normalised and cut.
    """

    connection_id: str
    total: int
    successful: int
    failed: int
    unanswered: int
    unique_users: int
    average_response_ms: float | None
    p50_response_ms: float | None
    p95_response_ms: float | None
    most_common_queries: list[dict[str, Any]]
    top_tables: list[dict[str, Any]]

    def as_row(self) -> dict[str, Any]:
        """The values by column of `twd.daily_query_stats`, without the day."""
        return asdict(self)


def usage_of_day(answers: pl.DataFrame, db_types: Mapping[str, str]) -> list[ConnectionUsage]:
    """Statistics of a day, first over all connections, then each connection that was used.

    `answers` has the columns of `messages.reading.SCHEMA`; `db_types`: connection id → type.
    Response times are of answers; percentiles are interpolated linearly.
    """
    judged = judge(answers, db_types)
    # Which connection a table is of still matters in the numbers over all.
    judged = judged.with_columns(source=pl.col("connection_id"))
    both = pl.concat([judged.with_columns(connection_id=pl.lit(ALL)), judged])
    counts = both.group_by("connection_id").agg(
        pl.len().alias("total"),
        *((pl.col("outcome") == name).sum().alias(name) for name in _OUTCOMES),
        pl.col("user_id").drop_nulls().n_unique().alias("unique_users"),
        # Rounded, because a sum's last digits depend on the order of its parts.
        pl.col("latency_ms").mean().round(3).alias("average_response_ms"),
        pl.col("latency_ms").quantile(0.5, "linear").round(3).alias("p50_response_ms"),
        pl.col("latency_ms").quantile(0.95, "linear").round(3).alias("p95_response_ms"),
    )
    common, tables = _common_queries(both), _top_tables(both)
    days = [
        ConnectionUsage(
            **row,
            most_common_queries=common.get(row["connection_id"], []),
            top_tables=tables.get(row["connection_id"], []),
        )
        for row in counts.to_dicts()
    ]
    if not days:
        days = [ConnectionUsage(ALL, 0, 0, 0, 0, 0, None, None, None, [], [])]
    return sorted(days, key=lambda day: (day.connection_id != ALL, day.connection_id))


_OUTCOMES = ("successful", "failed", "unanswered")


def judge(answers: pl.DataFrame, db_types: Mapping[str, str]) -> pl.DataFrame:
    """The answers with `parses`, `tables`, `shape`, `executed` and `outcome`.

    Each distinct SQL text of a connection is parsed once.
    """
    texts = answers.filter(pl.col("sql").is_not_null()).select("connection_id", "sql").unique()
    facts = [facts_of(sql, db_types.get(owner, "")) for owner, sql in texts.iter_rows()]
    known = texts.with_columns(
        pl.Series("parses", [item.parses for item in facts], pl.Boolean),
        pl.Series("tables", [list(item.tables) for item in facts], pl.List(pl.String)),
        pl.Series("shape", [item.shape for item in facts], pl.String),
    )
    executed = (
        pl.col("sql").is_not_null() & (pl.col("result") != "none") & pl.col("error").is_null()
    )
    return (
        answers.join(known, on=["connection_id", "sql"], how="left")
        .with_columns(executed=executed, parses=pl.col("parses").fill_null(value=False))
        .with_columns(
            outcome=pl.when(pl.col("sql").is_null())
            .then(pl.lit("unanswered"))
            .when(pl.col("executed") & pl.col("parses"))
            .then(pl.lit("successful"))
            .otherwise(pl.lit("failed"))
        )
    )


def _top_tables(judged: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    counted = (
        judged.filter(pl.col("outcome") == "successful")
        .explode("tables")
        .drop_nulls("tables")
        .group_by("connection_id", pl.col("source"), pl.col("tables").alias("table"))
        .agg(pl.len().alias("count"))
        .sort("count", "source", "table", descending=[True, False, False])
    )
    return _first_of_each(counted.rename({"source": "of"}), {"of": "connection_id"})


def _common_queries(judged: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    counted = (
        judged.with_columns(question=_normalised(pl.col("question")))
        .filter(pl.col("question").is_not_null() & (pl.col("question") != ""))
        .group_by("connection_id", "question")
        .agg(
            pl.len().alias("count"),
            # The most frequent shape; of equally frequent ones the first by name.
            pl.col("shape").drop_nulls().mode().sort().first().fill_null("").alias("sql_shape"),
        )
        .sort("count", "question", descending=[True, False])
        .with_columns(pl.col("question").str.slice(0, LONGEST_STORED_QUESTION))
    )
    return _first_of_each(counted, {})


def _normalised(question: pl.Expr) -> pl.Expr:
    """Lower case, single spaces, no punctuation at the end."""
    return (
        question.str.to_lowercase()
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
        .str.strip_chars_end(".?!… ")
    )


def _first_of_each(counted: pl.DataFrame, names: Mapping[str, str]) -> dict[str, list[Any]]:
    lists: dict[str, list[Any]] = {}
    for row in counted.group_by("connection_id", maintain_order=True).head(_MOST).to_dicts():
        items = lists.setdefault(row.pop("connection_id"), [])
        items.append({names.get(name, name): value for name, value in row.items()})
    return lists
