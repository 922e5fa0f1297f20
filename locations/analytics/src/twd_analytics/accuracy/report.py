"""From a day's answers to how right the generated SQL was: over all, by connection, version, name.

*generated*: answers with SQL; *parsed*: of those, the text parses in the connection's dialect;
*read only*: of those parsed, it only reads; *executed*: of those generated, the database gave a
result and no error, and rows in it if the text does not parse here. An answer that went wrong has
one error class: that of the database's error, else "syntax" if the text does not parse, else what
the snapshot says of its names, else "other"; "empty_result" is executed without rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby, islice
from typing import Any, NamedTuple

import polars as pl

from twd_analytics.accuracy.errors import ErrorClass, class_of_error
from twd_analytics.generated_sql.book import SqlBook
from twd_analytics.generated_sql.facts import SqlFacts
from twd_analytics.generated_sql.running import with_executed
from twd_analytics.messages.reading import ALL, GAVE_RESULT

# Models make up names without end.
_MOST_NAMES = 1_000


@dataclass(slots=True)
class ConnectionAccuracy:
    """One connection's day; `verdicts` and `error_classes` count by name, most first.

    `read_only` is None of a day that was measured before it was looked at.
    """

    connection_id: str
    generated: int = 0
    parsed: int = 0
    read_only: int | None = 0
    executed: int = 0
    verdicts: dict[str, int] = field(default_factory=dict[str, int])
    error_classes: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def parsed_percent(self) -> float | None:
        """Share of generated SQL that parses, in percent; None without any."""
        return _percent(self.parsed, self.generated)

    @property
    def executed_percent(self) -> float | None:
        """Share of generated SQL that ran, in percent; None without any."""
        return _percent(self.executed, self.generated)

    def as_row(self) -> dict[str, Any]:
        """The values by column of `twd.daily_sql_accuracy`, without the day."""
        return asdict(self)


class ModelAccuracy(NamedTuple):
    """One connection's day with one version of its knowledge base; 0 = none was served."""

    connection_id: str
    model_version: int
    generated: int
    parsed: int
    executed: int


class NameAccuracy(NamedTuple):
    """How SQL fared that names a table, or a column ('' = the table as a whole).

    An unknown column has no table. `is_known` says whether the snapshot holds the name; None if
    there was none.
    """

    connection_id: str
    table_name: str
    column_name: str
    generated: int
    failed: int
    is_known: bool | None


@dataclass(slots=True)
class DayAccuracy:
    """A day's accuracy: `connections` begins with that over all."""

    connections: list[ConnectionAccuracy]
    models: list[ModelAccuracy]
    names: list[NameAccuracy]


def in_order(
    connections: Iterable[ConnectionAccuracy],
    models: Iterable[ModelAccuracy],
    names: Iterable[NameAccuracy],
) -> DayAccuracy:
    """The day's accuracy in an order that is the same each time.

    Of a connection's names those are kept that failed most.
    """
    in_turn = sorted(connections, key=lambda one: (one.connection_id != ALL, one.connection_id))
    for one in in_turn:
        one.verdicts = _most_first(one.verdicts)
        one.error_classes = _most_first(one.error_classes)
    worst_first = sorted(
        names, key=lambda name: (name.connection_id, -name.failed, -name.generated, name[:3])
    )
    by_connection = groupby(worst_first, key=lambda name: name.connection_id)
    kept = [name for _, of_one in by_connection for name in islice(of_one, _MOST_NAMES)]
    return DayAccuracy(in_turn, sorted(models), kept)


def kinds_of_sql(answers: pl.DataFrame, book: SqlBook) -> pl.DataFrame:
    """The day's answers, counted by all that accuracy is told by.

    `answers` has the columns of `messages.reading.SCHEMA`, schema_version and model_version. Rows
    are distinct and have `count`, `executed`, and `entry` in the book, null without SQL.
    """
    kinds = answers.group_by(
        "connection_id",
        "schema_version",
        "model_version",
        "question",
        "sql",
        "result",
        "error",
        gave_result=GAVE_RESULT,
    ).len("count")
    return with_executed(kinds, book)


def accuracy_of_day(kinds: pl.DataFrame, book: SqlBook) -> DayAccuracy:
    """Accuracy of a day from its `kinds_of_sql`."""
    errors = kinds.select("error").unique().drop_nulls()
    classes = errors.with_columns(
        told=pl.Series([class_of_error(str(text)) for text in errors["error"]], dtype=pl.String)
    )
    counted = (
        kinds.filter(pl.col("entry").is_not_null())
        .join(classes, on="error", how="left")
        .group_by("connection_id", "model_version", "entry", "executed", "result", "told")
        .agg(pl.col("count").sum())
    )
    whole = _Report()
    for owner, model, entry, executed, result, told, count in counted.iter_rows():
        facts = book.facts[entry]
        fault = _class_of(facts, executed=executed, result=result, told=told)
        whole.add(owner, model, facts, executed=executed, fault=fault, count=count)
    return whole.day()


def _class_of(
    facts: SqlFacts, *, executed: bool, result: str, told: ErrorClass | None
) -> ErrorClass | None:
    if executed:
        return "empty_result" if result == "empty" else None
    if told is not None:
        return told
    if facts.verdict in ("syntax", "unknown_table", "unknown_column", "ambiguous_column"):
        return facts.verdict
    return "other"


class _Report:
    """Adds up a day."""

    def __init__(self) -> None:
        self._connections = {ALL: ConnectionAccuracy(ALL)}
        self._verdicts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._faults: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._models: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self._names: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
        self._known: defaultdict[tuple[str, str, str], set[bool | None]] = defaultdict(set)

    def add(
        self,
        owner: str,
        model: int,
        facts: SqlFacts,
        *,
        executed: bool,
        fault: ErrorClass | None,
        count: int,
    ) -> None:
        """Count answers of one kind."""
        totals = Counter(
            generated=count,
            parsed=count * facts.parses,
            read_only=count * facts.reads_only,
            executed=count * executed,
            failed=count * (not executed),
        )
        for whose in (ALL, owner):
            one = self._connections.setdefault(whose, ConnectionAccuracy(whose))
            one.generated += count
            one.parsed += totals["parsed"]
            one.read_only = (one.read_only or 0) + totals["read_only"]
            one.executed += totals["executed"]
            self._verdicts[whose][facts.verdict] += count
            if fault is not None:
                self._faults[whose][fault] += count
        self._models[owner, model].update(totals)
        for table, column, is_known in _names_in(facts):
            self._names[owner, table, column].update(totals)
            self._known[owner, table, column].add(is_known)

    def day(self) -> DayAccuracy:
        """What was counted."""
        for owner, one in self._connections.items():
            one.verdicts = dict(self._verdicts[owner])
            one.error_classes = dict(self._faults[owner])
        return in_order(
            self._connections.values(),
            (
                ModelAccuracy(*key, counts["generated"], counts["parsed"], counts["executed"])
                for key, counts in self._models.items()
            ),
            (
                NameAccuracy(
                    *key, counts["generated"], counts["failed"], _over_the_day(self._known[key])
                )
                for key, counts in self._names.items()
            ),
        )


def _names_in(facts: SqlFacts) -> set[tuple[str, str, bool | None]]:
    """(table, column, is it known) of all that the SQL names; '' = no table, no column."""
    is_known = None if facts.verdict == "unchecked" else True
    return {
        *((table, "", is_known) for table in facts.tables),
        *((table, column, True) for table, column in facts.columns),
        *((table, "", False) for table in facts.unknown_tables),
        *(("", column, False) for column in facts.unknown_columns),
    }


def _over_the_day(known: set[bool | None]) -> bool | None:
    """Whether a name was known all day: it may have come or gone."""
    return None if known == {None} else False not in known


def _most_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None
