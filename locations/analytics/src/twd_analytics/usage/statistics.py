"""From a day's answers to the day's statistics, per connection and over all.

Every row of a day (an answer, or a question without one) is exactly one of:
*successful*: it has SQL that was executed, as the accuracy of SQL counts it;
*failed*: it has SQL and is not successful;
*unanswered*: it has no SQL.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from twd_analytics.generated_sql.book import SqlBook
from twd_analytics.generated_sql.running import with_executed
from twd_analytics.messages.questions import cut, normalised
from twd_analytics.messages.reading import ALL, GAVE_RESULT
from twd_analytics.usage.languages import with_language

_MOST = 10


@dataclass(slots=True)
class ConnectionUsage:
    """One connection's day. Times in milliseconds, None where the application does not tell.

    Of successful answers: `top_tables` and `top_columns`, [{connection_id, table, (column,)
    count}], and `most_common_shapes`, [{fingerprint, sql_shape, count}]. Of all that was asked:
    `most_common_questions`, [{question, count}], normalised and cut; `languages`, [{language,
    count}].
    """

    connection_id: str
    total: int = 0
    successful: int = 0
    failed: int = 0
    unanswered: int = 0
    unique_users: int = 0
    average_response_ms: float | None = None
    p50_response_ms: float | None = None
    p95_response_ms: float | None = None
    most_common_questions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    most_common_shapes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    top_tables: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    top_columns: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    languages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def as_row(self) -> dict[str, Any]:
        """The values by column of `twd.daily_query_stats`, without the day."""
        return asdict(self)


def usage_of_day(
    answers: pl.DataFrame, book: SqlBook, question_characters: int
) -> list[ConnectionUsage]:
    """Statistics of a day, first over all connections, then each connection that was used.

    `answers` has the columns of `messages.reading.SCHEMA` and schema_version; of a question's text
    `question_characters` are told. Response times are of answers; percentiles are interpolated
    linearly.
    """
    days = {usage.connection_id: usage for usage in _users_and_times(answers)}
    _add_outcomes(days, answers, book)
    _add_questions(days, answers, question_characters)
    return [days[owner] for owner in (ALL, *sorted(days.keys() - {ALL}))]


def _users_and_times(answers: pl.DataFrame) -> Iterator[ConnectionUsage]:
    measures = (
        pl.col("user_id").drop_nulls().n_unique().alias("unique_users"),
        # Rounded, because a sum's last digits depend on the order of its parts.
        pl.col("latency_ms").mean().round(3).alias("average_response_ms"),
        pl.col("latency_ms").quantile(0.5, "linear").round(3).alias("p50_response_ms"),
        pl.col("latency_ms").quantile(0.95, "linear").round(3).alias("p95_response_ms"),
    )
    over_all = answers.select(pl.lit(ALL).alias("connection_id"), *measures)
    of_each = answers.group_by("connection_id").agg(*measures)
    for row in (*over_all.to_dicts(), *of_each.to_dicts()):
        yield ConnectionUsage(**row)


def _add_outcomes(days: dict[str, ConnectionUsage], answers: pl.DataFrame, book: SqlBook) -> None:
    """How answers ended, and of good ones what their SQL was.

    Counted by kind, as the same is asked over and over; what did not run is not looked into.
    """
    kinds = answers.group_by(
        "connection_id",
        "schema_version",
        "result",
        sql=pl.when(GAVE_RESULT).then("sql"),
        has_sql=pl.col("sql").is_not_null(),
        gave_result=GAVE_RESULT,
    ).len("count")
    counted = (
        with_executed(kinds, book)
        .group_by("connection_id", "has_sql", "executed", "entry")
        .agg(pl.col("count").sum())
    )
    shapes, tables, columns = _Tally(), _Tally(), _Tally()
    names: dict[str, str] = {}
    for owner, has_sql, is_good, entry, count in counted.iter_rows():
        for usage in (days[ALL], days[owner]):
            usage.total += count
            usage.successful += count * is_good
            usage.failed += count * (has_sql and not is_good)
            usage.unanswered += count * (not has_sql)
        if not is_good:
            continue
        facts = book.facts[entry]
        if facts.fingerprint:
            names[facts.fingerprint] = facts.shape
            shapes.add(owner, facts.fingerprint, count)
        if facts.parses:
            for table in facts.tables:
                tables.add(owner, (owner, table), count)
            for column in facts.columns:
                columns.add(owner, (owner, *column), count)
    for owner, usage in days.items():
        usage.most_common_shapes = [
            {"fingerprint": key, "sql_shape": names[key], "count": count}
            for key, count in shapes.most(owner)
        ]
        usage.top_tables = [
            {"connection_id": of, "table": table, "count": count}
            for (of, table), count in tables.most(owner)
        ]
        usage.top_columns = [
            {"connection_id": of, "table": table, "column": column, "count": count}
            for (of, table, column), count in columns.most(owner)
        ]


def _add_questions(
    days: dict[str, ConnectionUsage], answers: pl.DataFrame, characters: int
) -> None:
    asked = (
        answers.group_by("connection_id", "question")
        .len("count")
        .with_columns(question=normalised(pl.col("question").cast(pl.String)))
        .filter(pl.col("question") != "")
        .group_by("connection_id", "question")
        .agg(pl.col("count").sum())
        .pipe(with_language)
    )
    everybody = asked.group_by("question", "language").agg(pl.col("count").sum())
    both = (everybody.with_columns(connection_id=pl.lit(ALL, pl.Categorical)), asked)
    for counted in both:
        place = pl.col("count").rank("min", descending=True).over("connection_id")
        common = (
            # To sort all of them, by their texts too, takes longer.
            counted.filter(place <= _MOST)
            .sort("count", "question", descending=[True, False])
            .group_by("connection_id", maintain_order=True)
            .head(_MOST)
        )
        for row in common.iter_rows(named=True):
            # Without its text, how often something was asked tells nothing.
            if characters:
                text = cut(row["question"], characters)
                days[row["connection_id"]].most_common_questions.append(
                    {"question": text, "count": row["count"]}
                )
        spoken = (
            counted.group_by("connection_id", "language")
            .agg(pl.col("count").sum())
            .sort("count", "language", descending=[True, False])
        )
        for row in spoken.iter_rows(named=True):
            days[row["connection_id"]].languages.append(
                {"language": row["language"], "count": row["count"]}
            )


class _Tally:
    """Counts by connection, and over all."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, Counter[Any]] = defaultdict(Counter)

    def add(self, connection_id: str, what: Any, count: int) -> None:
        """Count `what` of a connection."""
        self._counts[ALL][what] += count
        self._counts[connection_id][what] += count

    def most(self, connection_id: str) -> Iterable[tuple[Any, int]]:
        """What was counted most; of equal counts what is first by name."""
        found = self._counts[connection_id].items()
        return sorted(found, key=lambda item: (-item[1], item[0]))[:_MOST]
