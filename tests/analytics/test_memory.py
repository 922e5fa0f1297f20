"""Of many days that a run measures one is in memory at a time, on real databases."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from twd_analytics.accuracy.measure import measure_accuracy
from twd_analytics.accuracy.store import AccuracyStore
from twd_analytics.generated_sql.book import SqlBook
from twd_analytics.messages.reading import MessageLog
from twd_analytics.usage.measure import measure_usage
from twd_analytics.usage.store import QueryStatsStore
from twd_shared.clients.application import ApplicationDatabase
from twd_shared.sql.grammar import PostgresGrammar
from twd_shared.store.database import MetadataDatabase
from twd_shared.store.snapshots import SnapshotStore

DAYS = [date(2026, 3, 10) + timedelta(days=ahead) for ahead in range(3)]
CHARACTERS = 200

pytestmark = pytest.mark.integration
Build = Callable[..., dict[str, Any]]


def texts_in_memory() -> int:
    """How many texts Polars keeps for the categories of all frames that there are."""
    one_more = str(uuid.uuid4())
    return pl.Series([one_more], dtype=pl.Categorical).to_physical()[0]


@pytest.mark.parametrize("measure", ["usage", "accuracy"])
def test_nothing_of_a_day_is_kept_once_it_is_measured(
    metadata_dsn: str, application: Any, ask: Build, answer: Build, measure: str
) -> None:
    for day in DAYS:
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        application.talk(
            "an", noon, ask(f"What was sold on {day}?"), answer(f"select '{day}'", "[1]")
        )
    # What the errors of other tests hold.
    gc.collect()
    log = MessageLog(ApplicationDatabase(application.dsn), "UTC")
    database = MetadataDatabase(metadata_dsn)
    usage, accuracy = QueryStatsStore(database), AccuracyStore(database)
    with PostgresGrammar(metadata_dsn) as grammar:
        book = SqlBook(SnapshotStore(database).load, {}, grammar.refused)
        measured: Iterator[object] = (
            measure_usage(DAYS, log, book, [], usage, CHARACTERS)
            if measure == "usage"
            else measure_accuracy(DAYS, log, book, [], [], accuracy, CHARACTERS)
        )
        kept = [texts_in_memory() for _ in measured]
    database.close()
    assert kept == [0] * len(DAYS)
