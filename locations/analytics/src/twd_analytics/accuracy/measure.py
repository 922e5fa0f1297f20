"""Measuring the accuracy of days: read, judge by the snapshot of the moment, store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from twd_analytics.accuracy.open_questions import OpenQuestion, open_questions
from twd_analytics.accuracy.report import DayAccuracy, accuracy_of_day, kinds_of_sql
from twd_analytics.accuracy.store import AccuracyStore
from twd_analytics.generated_sql.book import SqlBook
from twd_analytics.messages.moments import Change, with_version
from twd_analytics.messages.reading import MessageLog


@dataclass(frozen=True, slots=True)
class MeasuredAccuracy:
    """What is stored of a day.

    `fewer` = it was measured before, from so many more messages than there are, or name their
    connection, and kept.
    """

    day: date
    accuracy: DayAccuracy
    open_questions: list[OpenQuestion]
    # What is stored is the same, whichever run tells it.
    fewer: int = field(default=0, repr=False)


def measure_accuracy(
    days: Iterable[date],
    log: MessageLog,
    book: SqlBook,
    schema_changes: Iterable[Change],
    model_changes: Iterable[Change],
    store: AccuracyStore,
    question_characters: int,
) -> Iterator[MeasuredAccuracy]:
    """Measure and store day after day; gives what is stored. A day is in memory at a time.

    No day keeps more than `question_characters` of a text any more, whenever it was measured.
    """
    # More may have been allowed when the days before were measured.
    store.limit_questions(question_characters)
    of_schemas, of_models = list(schema_changes), list(model_changes)
    for day in days:
        read = log.read(day)
        answers = with_version(read.answers, of_schemas, "schema_version")
        answers = with_version(answers, of_models, "model_version")
        kinds = kinds_of_sql(answers, book)
        measured = MeasuredAccuracy(
            day, accuracy_of_day(kinds, book), open_questions(kinds, question_characters)
        )
        fewer = store.replace_day(
            day, log.timezone, read.state, measured.accuracy, measured.open_questions
        )
        if fewer:
            measured = MeasuredAccuracy(day, *store.load(day), fewer)
        # Texts of all days are kept for as long as there is a frame of one.
        del read, answers, kinds
        yield measured
